--- Ghost text from the repofill language server. `require("repofill").setup{}` is all it takes; see |repofill|.

local config = require("repofill.config")
local ghost = require("repofill.ghost")
local keys = require("repofill.keys")
local neighbours = require("repofill.neighbours")
local server = require("repofill.server")

local M = {}

--- What `statusline` returned last; nil as long as no status line asks.
local shown ---@type string?

local function highlight()
  local standard = vim.fn.hlexists("ComplHint") == 1 and "ComplHint" or "NonText"
  vim.api.nvim_set_hl(0, "RepofillSuggestion", { link = standard, default = true })
end

---@param group integer
local function watch(group)
  local on = vim.api.nvim_create_autocmd
  on({ "FileType", "BufFilePost", "BufAdd" }, {
    group = group,
    callback = function(event)
      if vim.api.nvim_buf_is_loaded(event.buf) then -- BufAdd tells of names in the buffer list, too
        if event.event == "BufFilePost" then
          server.forget(event.buf)
        end
        server.attach(event.buf)
      end
    end,
  })
  on({ "TextChangedI", "TextChangedP", "CursorMovedI" }, {
    group = group,
    callback = function()
      ghost.update()
    end,
  })
  on("ModeChanged", {
    group = group,
    pattern = { "*:i*", "i*:*" },
    callback = function()
      ghost.update()
    end,
  })
  on({ "InsertLeave", "BufLeave" }, { group = group, callback = ghost.clear })
  on("InsertLeave", { group = group, callback = vim.schedule_wrap(server.show_said) })
  on("ColorScheme", { group = group, callback = highlight })
  neighbours.watch_menus(group, ghost.redraw)
  server.watch(group)
end

---@param bufnr integer? where suggestions may be possible now
local function server_changed(bufnr)
  if shown and shown ~= M.statusline() then
    vim.cmd.redrawstatus()
  end
  if bufnr == vim.api.nvim_get_current_buf() then
    ghost.update(true)
  elseif not server.client() then
    ghost.clear()
  end
end

--- Starts everything; calling it again applies other options, and `:Repofill restart` makes the server know its own.
---@param options? repofill.Options
function M.setup(options)
  for _, problem in ipairs(config.set(options)) do
    server.say(problem)
  end
  highlight()
  keys.set(config.options.keys)
  watch(vim.api.nvim_create_augroup("repofill", {}))
  server.on_change = server_changed
  require("repofill.commands").create()
  server.attach_all()
end

--- Whether ghost text is on the screen.
---@return boolean
M.visible = ghost.visible

---@param part? repofill.Part what to insert of the suggestion, by default all of it
function M.accept(part)
  keys.press((part or "all") == "all" and "accept" or "accept_" .. part)
end

--- Shows the next candidate; asks for one where none is shown.
function M.next()
  keys.press("next")
end

--- Shows the candidate before.
function M.previous()
  keys.press("previous")
end

--- Hides the suggestion until something is typed.
M.dismiss = ghost.dismiss

--- Switches suggestions on or off.
---@param scope? repofill.Scope by default "globally"
---@param wanted? boolean without it: what they are not
---@return boolean on
function M.toggle(scope, wanted)
  local bufnr = vim.api.nvim_get_current_buf()
  local on = config.switch(scope or "globally", bufnr, wanted)
  ghost.clear()
  server.attach_all()
  server_changed(bufnr)
  return on
end

--- For a status line: the model, what it is doing and how long the last answer took; "" in what is no file. Reads what
--- is known: it costs nothing.
---@return string
function M.statusline()
  local bufnr = vim.api.nvim_get_current_buf()
  local state = server.state()
  if not config.enabled(bufnr) then
    shown = vim.bo[bufnr].buftype == "" and "repofill off" or ""
    return shown
  end
  if state == "ready" and server.latency_ms then
    state = ("%.0f ms"):format(server.latency_ms)
  end
  shown = (server.model() or "repofill") .. " " .. state
  return shown
end

return M
