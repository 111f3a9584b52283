--- The one language server of this Neovim: found, started, kept alive, asked. All projects are folders of one client,
--- so that one model serves them all.

local config = require("repofill.config")

local M = {}

local CRASHES, CRASHES_WITHIN_S, RESTART_AFTER_MS = 3, 60, 500
local SIGTERM = 15
local REST_MS = 250
M.BROKEN = "the server cannot be started (:checkhealth repofill)"
local INSTALL = "`%s` cannot be run (:help repofill-install)" -- no longer than a line

---@class repofill.Status What `repofill.status` answered last.
---@field ready boolean
---@field engine { state: string, reason: string, pid: integer? }
---@field folders { root: string, ready: boolean, files: integer, edges: integer }[]
---@field accepted integer
---@field last_ms number?
---@field model string? null until its first answer
---@field log string?

---@type repofill.Status?
M.status = nil
---@type number? milliseconds from request to answer
M.latency_ms = nil
---@type string[] what the server wanted to be known, oldest first
M.said = {}
---@type fun(bufnr: integer?) called when suggestions may be possible anew, or are no more (nil)
M.on_change = function() end

local client_id ---@type integer?
local running ---@type table? the process whose end would be a crash
local crashes = {} ---@type number[]
local given_up = false
local complained = false

---@type boolean clients have methods, and Lua functions the encoding as an argument
local METHODS = vim.fn.has("nvim-0.11") == 1

---@param client vim.lsp.Client
---@param name string
---@param ... any
---@return any, any
local function call(client, name, ...)
  if METHODS then
    return client[name](client, ...)
  end
  return client[name](...)
end

local unseen = {} ---@type string[]

--- Shows what has been said since: on one line, as a longer one would ask for ENTER, and not in insert mode, where "--
--- INSERT --" hides it at once.
function M.show_said()
  if #unseen == 0 or vim.api.nvim_get_mode().mode:sub(1, 1) == "i" then
    return
  end
  local more = #unseen == 1 and "… (:Repofill status)" or ("… (and %d more: :Repofill status)"):format(#unseen - 1)
  local room, line = vim.v.echospace - 1, unseen[1]
  if #unseen > 1 or vim.fn.strdisplaywidth(line) > room then
    line = vim.fn.strcharpart(line, 0, math.max(room - vim.fn.strdisplaywidth(more), 0)) .. more
  end
  unseen = {}
  vim.notify(line, vim.log.levels.WARN)
end

--- Tells the user something: soon, or as soon as insert mode is left.
---@param text string
function M.say(text)
  text = "repofill: " .. text:gsub("^repofill: ", ""):gsub("%s+", " ")
  M.said[#M.said + 1] = text
  unseen[#unseen + 1] = text
  vim.schedule(M.show_said)
end

--- The server's executable: as configured, on PATH, or in the checkout that this plugin is part of.
---@return string?
function M.find()
  local name = vim.fn.expand(config.options.cmd[1])
  local found = vim.fn.exepath(name)
  if found == "" and name == "repofill" then
    local here = vim.uv.fs_realpath(debug.getinfo(1, "S").source:sub(2)) or ""
    found = vim.fn.exepath(vim.fs.joinpath(here:gsub("/editors/neovim/lua/.*", ""), ".venv/bin/repofill"))
  end
  return found ~= "" and found or nil
end

---@return vim.lsp.Client?
function M.client()
  local client = client_id and vim.lsp.get_client_by_id(client_id)
  if client and not call(client, "is_stopped") then
    return client
  end
end

--- The client where it can be asked about a buffer: started, and the buffer known to it.
---@param bufnr integer
---@return vim.lsp.Client?
function M.client_of(bufnr)
  local client = M.client()
  if client and client.initialized and client.attached_buffers[bufnr] then
    return client
  end
end

--- "missing" (cannot be run), "stopped", "starting", "failed", or the engine's state: "idle", "loading", "ready" …
---@return string
function M.state()
  local client = M.client()
  if not client then
    return complained and "missing" or given_up and "failed" or "stopped"
  end
  return client.initialized and M.status and M.status.engine.state or "starting"
end

--- The model's name, once it has answered.
---@return string?
function M.model()
  local name = M.status and M.status.model
  return type(name) == "string" and name or nil
end

---@param line string
---@param col integer in bytes
---@param encoding string
---@return integer
local function character(line, col, encoding)
  if encoding == "utf-8" then
    return col
  elseif METHODS then
    return vim.str_utfindex(line, encoding, col, false)
  end
  local utf32, utf16 = vim.str_utfindex(line, col) ---@diagnostic disable-line: missing-parameter, assign-type-mismatch
  return encoding == "utf-16" and utf16 or utf32
end

--- A cursor in the protocol's terms. (vim.lsp.util.make_position_params of Neovim 0.10 counts wrong behind multi-byte
--- characters.)
---@param bufnr integer
---@param row integer from 0
---@param col integer in bytes
---@return lsp.TextDocumentPositionParams
function M.position(bufnr, row, col)
  local client = M.client()
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ""
  return {
    textDocument = { uri = vim.uri_from_bufnr(bufnr) },
    position = { line = row, character = character(line, col, client and client.offset_encoding or "utf-8") },
  }
end

--- Asks; the callback gets nil for whatever is not an answer.
---@param bufnr integer
---@param method string
---@param params table
---@param callback fun(answer: any)
---@return fun()? cancel nil where nothing can be asked
function M.request(bufnr, method, params, callback)
  local client = M.client_of(bufnr)
  if not client then
    return nil
  end
  local sent, id = call(client, "request", method, params, function(err, answer)
    callback(not err and answer ~= vim.NIL and answer or nil)
  end, bufnr)
  return sent and function()
    call(client, "cancel_request", id)
  end or nil
end

--- Runs one of the server's commands.
---@param bufnr integer
---@param command string
---@param arguments? any[]
---@param callback? fun(answer: any)
---@return fun()? cancel nil where nothing can be asked
function M.execute(bufnr, command, arguments, callback)
  local params = { command = command, arguments = arguments or {} }
  return M.request(bufnr, "workspace/executeCommand", params, callback or function() end)
end

--- Asks for the server's status and keeps it.
---@param callback? fun()
---@return fun()? cancel nil where nothing can be asked
function M.refresh(callback)
  local client = M.client()
  local bufnr = client and next(client.attached_buffers)
  return bufnr
    and M.execute(bufnr, "repofill.status", {}, function(status)
      if type(status) == "table" and type(status.engine) == "table" then
        M.status = status
      end
      if callback then
        callback()
      end
      M.on_change()
    end)
end

local places = {} ---@type table<integer, { uri: string, root: string? }> of the buffers that were attached
local ours = {} ---@type table<string, true> all the folders that such a buffer was in

--- Makes the projects of the attached buffers folders of the server, and takes those away that were left. The last one
--- stays until there is another, as it is mostly used again.
---@param client vim.lsp.Client
local function follow_buffers(client)
  local missing = {} ---@type table<string, true>
  for bufnr in pairs(client.attached_buffers) do
    local root = places[bufnr] and places[bufnr].root
    if root then
      missing[root], ours[root] = true, true
    end
  end
  local kept, added, removed = {}, {}, {}
  for _, folder in ipairs(client.workspace_folders or {}) do
    table.insert(ours[folder.name] and not missing[folder.name] and removed or kept, folder)
    missing[folder.name] = nil
  end
  for root in pairs(missing) do
    table.insert(added, { uri = vim.uri_from_fname(root), name = root })
  end
  if #kept + #added > 0 and #added + #removed > 0 then
    client.workspace_folders = vim.list_extend(kept, added)
    call(client, "notify", "workspace/didChangeWorkspaceFolders", { event = { added = added, removed = removed } })
  end
end

---@param client vim.lsp.Client
---@param bufnr integer
local function attached(client, bufnr)
  places[bufnr] = { uri = vim.uri_from_bufnr(bufnr), root = config.root(bufnr) }
  follow_buffers(client)
  M.refresh()
  M.on_change(bufnr)
end

--- Makes the buffers known to the server that suggestions are on in.
function M.attach_all()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) then
      M.attach(bufnr)
    end
  end
end

--- A server that ended by itself is started again, unless that happens over and over; one that was asked to end (as by
--- |:lsp|) is not.
---@param code integer
---@param signal integer
local function ended(code, signal)
  client_id, M.status = nil, nil
  M.on_change()
  if code == 0 and (signal == 0 or signal == SIGTERM) then
    return
  end
  local now = vim.uv.now() / 1000
  crashes = vim.tbl_filter(function(at)
    return now - at < CRASHES_WITHIN_S
  end, crashes)
  crashes[#crashes + 1] = now
  given_up = #crashes >= CRASHES
  if given_up then
    local how = signal ~= 0 and ("signal %d"):format(signal) or ("exit code %d"):format(code)
    M.say(("the server keeps ending (%s): see :Repofill log, then :Repofill restart"):format(how))
  else
    vim.defer_fn(M.attach_all, RESTART_AFTER_MS)
  end
end

--- Starts the process. Its end is ours to tell: Neovim's own message is longer than a line.
---@param command string[]
---@return fun(dispatchers: vim.lsp.rpc.Dispatchers): vim.lsp.rpc.PublicClient
local function starter(command)
  return function(dispatchers)
    local process = {}
    running = process
    local function on_exit(code, signal)
      dispatchers.on_exit(0, 0)
      vim.schedule(function()
        if running == process and vim.v.exiting == vim.NIL then
          ended(code, signal)
        end
      end)
    end
    return vim.lsp.rpc.start(command, vim.tbl_extend("force", dispatchers, { on_exit = on_exit }))
  end
end

---@return lsp.ClientCapabilities
local function capabilities()
  return vim.tbl_deep_extend("force", vim.lsp.protocol.make_client_capabilities(), {
    textDocument = { inlineCompletion = { dynamicRegistration = false } },
  })
end

---@param bufnr integer
---@param executable string
local function start(bufnr, executable)
  local options = config.options
  client_id = vim.lsp.start({
    name = "repofill",
    cmd = starter({ executable, unpack(options.cmd, 2) }),
    root_dir = config.root(bufnr),
    init_options = options.settings,
    capabilities = capabilities(),
    handlers = {
      ["window/showMessage"] = function(_, params)
        M.say(params.message)
        M.refresh()
      end,
    },
    on_init = function(client)
      client_id = client.id -- |:lsp-restart| makes another client of this one's configuration
      -- One way to show a suggestion is enough: not also in completion menus, nor by vim.lsp.inline_completion.
      client.server_capabilities.completionProvider = nil
      client.server_capabilities.inlineCompletionProvider = nil
    end,
    on_attach = attached,
  }, {
    bufnr = bufnr,
    silent = true,
    reuse_client = function()
      return false
    end,
  })
  if not client_id then
    given_up = true
    M.say(M.BROKEN)
  end
end

--- Makes a buffer known to the server, and starts that first where need be.
---@param bufnr integer
function M.attach(bufnr)
  if given_up or not config.enabled(bufnr) then
    return
  end
  local client = M.client()
  if client then
    vim.lsp.buf_attach_client(bufnr, client.id)
    return
  end
  local executable = M.find()
  if executable then
    start(bufnr, executable)
  elseif not complained then
    complained = true
    M.say(INSTALL:format(config.options.cmd[1]))
  end
end

--- Closes a buffer for the server under the name that it was attached by: vim.lsp waits with that until it is written.
---@param bufnr integer
function M.forget(bufnr)
  local client, place = M.client_of(bufnr), places[bufnr]
  if client and place then
    call(client, "notify", "textDocument/didClose", { textDocument = { uri = place.uri } })
    vim.lsp.buf_detach_client(bufnr, client.id)
  end
end

--- Ends the server, if there is one, and starts it anew for all buffers.
function M.restart()
  local client = M.client()
  running, client_id, M.status = nil, nil, nil
  crashes, given_up, complained = {}, false, false
  if client then
    call(client, "stop", true)
  end
  M.on_change()
  M.attach_all()
end

local resting = assert(vim.uv.new_timer())

--- Where the cursor comes to rest insert mode may begin: the server reads ahead there.
local function moved()
  resting:start(
    REST_MS,
    0,
    vim.schedule_wrap(function()
      local bufnr = vim.api.nvim_get_current_buf()
      if vim.api.nvim_get_mode().mode == "n" and config.enabled(bufnr) then
        local row, col = unpack(vim.api.nvim_win_get_cursor(0))
        M.execute(bufnr, "repofill.cursor", { M.position(bufnr, row - 1, col) })
      end
    end)
  )
end

--- Calls back when the server has loaded its model or read a project, and tells it of projects that were left and of
--- where the cursor rests.
---@param group integer an autocommand group
function M.watch(group)
  vim.api.nvim_create_autocmd("CursorMoved", { group = group, callback = moved })
  vim.api.nvim_create_autocmd("LspProgress", {
    group = group,
    callback = function(event)
      local value = event.data.params.value
      if event.data.client_id == client_id and type(value) == "table" and value.kind == "end" then
        M.refresh()
      end
    end,
  })
  vim.api.nvim_create_autocmd("LspDetach", {
    group = group,
    callback = vim.schedule_wrap(function(event) -- when the buffer is no longer among the client's
      local client = M.client()
      if client and client.id == event.data.client_id then
        follow_buffers(client)
      end
    end),
  })
end

return M
