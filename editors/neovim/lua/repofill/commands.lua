--- `:Repofill …`

local config = require("repofill.config")
local server = require("repofill.server")

local M = {}

local PAGES = "repofill://"
local PATIENCE_MS = 2000

---@param win integer
---@return boolean
local function shows_page(win)
  return vim.startswith(vim.api.nvim_buf_get_name(vim.api.nvim_win_get_buf(win)), PAGES)
end

--- Lines to read, in a window of their own that `q` closes. The next page takes the place of the one before. Who has
--- begun to type meanwhile stays where they are.
---@param title string
---@param lines string[]
local function page(title, lines)
  local height, before = math.min(#lines, 15), vim.api.nvim_get_current_win()
  local shown = vim.iter(vim.api.nvim_tabpage_list_wins(0)):find(shows_page)
  if shown then
    vim.api.nvim_set_current_win(shown)
    vim.cmd(("enew | resize %d"):format(height))
  else
    vim.cmd(("botright %dnew"):format(height))
  end
  local bufnr = vim.api.nvim_get_current_buf()
  vim.bo[bufnr].buftype, vim.bo[bufnr].bufhidden, vim.bo[bufnr].swapfile = "nofile", "wipe", false
  vim.api.nvim_buf_set_name(bufnr, ("%s%s/%d"):format(PAGES, title, bufnr))
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  vim.bo[bufnr].modifiable = false
  vim.keymap.set("n", "q", "<Cmd>bwipeout<CR>", { buffer = bufnr, nowait = true })
  if vim.api.nvim_get_mode().mode ~= "n" then
    vim.api.nvim_set_current_win(before)
  end
end

--- The window with the file that a command is about: the current one, or the one before where that shows a page.
---@return integer
local function window()
  local current = vim.api.nvim_get_current_win()
  local before = vim.fn.win_getid(vim.fn.winnr("#"))
  return shows_page(current) and before ~= 0 and before or current
end

---@param bufnr integer
---@return string[]
local function status_lines(bufnr)
  local options, status, client = config.options, server.status, server.client()
  local lines = {
    "suggestions here: " .. (config.enabled(bufnr) and "on" or "off"),
    "server:           " .. (server.find() or options.cmd[1] .. " (not found)"),
    "state:            " .. server.state(),
  }
  if client and status then
    vim.list_extend(lines, {
      "model:            " .. (server.model() or "unknown before its first answer"),
      "last answer:      " .. (server.latency_ms and ("%.0f ms"):format(server.latency_ms) or "none yet"),
      "accepted:         " .. status.accepted,
      "log:              " .. (status.log or ""),
    })
    if status.engine.reason ~= "" then
      lines[#lines + 1] = "reason:           " .. status.engine.reason
    end
    for _, folder in ipairs(status.folders) do
      local read = folder.ready and "" or " (still reading)"
      lines[#lines + 1] = ("project:          %s: %d files, %d imports%s"):format(
        folder.root,
        folder.files,
        folder.edges,
        read
      )
    end
  end
  if config.enabled(bufnr) and not config.root(bufnr) then
    lines[#lines + 1] =
      "project:          none here; .git, package.json and the like make one (:help repofill-root_markers)"
  end
  for _, message in ipairs(server.said) do
    lines[#lines + 1] = "said:             " .. message
  end
  return lines
end

---@param win integer
local function status(win)
  local bufnr = vim.api.nvim_win_get_buf(win)
  local shown = false
  local function show()
    if not shown then
      shown = true
      page("status", status_lines(bufnr))
    end
  end
  if not server.refresh(show) then
    return show()
  end
  vim.defer_fn(function()
    if not shown then
      server.say("the server does not answer: see :Repofill log, then :Repofill restart")
    end
    show()
  end, PATIENCE_MS)
end

---@param plan table what `repofill.explain` answers
---@return string[]
local function explained(plan)
  local lines = { ("%d tokens of other files, in prompt order:"):format(plan.tokens) }
  for _, file in ipairs(plan.files) do
    lines[#lines + 1] = ("%7d  %-12s %s"):format(file.tokens, file.form, file.path)
  end
  local last = plan.last
  if type(last) == "table" then
    vim.list_extend(lines, {
      "",
      ("the last answer, by %s: %d tokens of prompt, %d of them cached"):format(
        last.model,
        last.prompt_tokens,
        last.cached_tokens
      ),
    })
    local stages = vim.tbl_keys(last.timings_ms)
    table.sort(stages)
    for _, stage in ipairs(stages) do
      lines[#lines + 1] = ("%9.1f ms  %s"):format(last.timings_ms[stage], stage)
    end
    for _, item in ipairs(last.items) do
      lines[#lines + 1] = ("%9.2f     %-8s %s"):format(item.confidence, item.source, vim.inspect(item.text))
    end
  end
  return lines
end

---@param win integer
local function explain(win)
  local bufnr = vim.api.nvim_win_get_buf(win)
  if not server.client_of(bufnr) then
    return server.say("the server is not running for this buffer: see :Repofill status")
  end
  local row, col = unpack(vim.api.nvim_win_get_cursor(win))
  server.execute(bufnr, "repofill.explain", { server.position(bufnr, row - 1, col) }, function(plan)
    if type(plan) == "table" then
      page("explain", explained(plan))
    else
      server.say("the server gave no answer: see :Repofill log")
    end
  end)
end

local function models()
  local executable = server.find()
  if not executable then
    return server.say(("`%s` cannot be run"):format(config.options.cmd[1]))
  end
  local command = { executable, "models" }
  local model = vim.tbl_get(config.options.settings, "model", "path")
  if model and model ~= "" then
    command[3] = vim.fn.expand(model)
  end
  local started = pcall(
    vim.system,
    command,
    { text = true, env = { COLUMNS = tostring(vim.o.columns) } },
    vim.schedule_wrap(function(done)
      page("models", vim.split(vim.trim(done.stdout .. done.stderr), "\n"))
    end)
  )
  if not started then
    server.say(server.BROKEN)
  end
end

local function log()
  -- A server that does not get as far as that has told Neovim, whose own log keeps it.
  local file = server.status and server.status.log or require("vim.lsp.log").get_filename()
  vim.cmd("botright split " .. vim.fn.fnameescape(file))
  vim.bo.readonly = true
  vim.cmd("normal! G")
end

---@type table<string, repofill.Scope>
local SCOPES = { globally = "globally", filetype = "filetype", buffer = "buffer" }

---@param wanted? boolean
---@return fun(win: integer, scope: string?)
local function switch(wanted)
  return function(win, scope)
    local known = SCOPES[scope or "globally"]
    if not known then
      return server.say(("suggestions are switched globally, per filetype or per buffer, not per `%s`"):format(scope))
    end
    local on = vim.api.nvim_win_call(win, function()
      return require("repofill").toggle(known, wanted)
    end)
    vim.notify(("repofill: %s (%s)"):format(on and "on" or "off", known))
  end
end

---@type table<string, fun(win: integer, argument: string?)>
local COMMANDS = {
  status = status,
  explain = explain,
  models = models,
  log = log,
  restart = server.restart,
  toggle = switch(),
  enable = switch(true),
  disable = switch(false),
}

---@param typed string
---@param line string
---@return string[]
local function complete(typed, line)
  local switching = line:match("^%S*%s+toggle%s") or line:match("^%S*%s+%a+able%s")
  local words = vim.tbl_keys(switching and SCOPES or COMMANDS)
  table.sort(words)
  return vim.tbl_filter(function(word)
    return vim.startswith(word, typed)
  end, words)
end

--- Defines `:Repofill`.
function M.create()
  vim.api.nvim_create_user_command("Repofill", function(given)
    local name, argument = given.fargs[1] or "status", given.fargs[2]
    local command = COMMANDS[name]
    if command then
      command(window(), argument)
    else
      server.say(("there is no :Repofill %s"):format(name))
    end
  end, { nargs = "*", complete = complete, desc = "repofill: status, explain, models, log, restart, toggle" })
end

return M
