--- Ghost text at the cursor: asked for, drawn, typed through, accepted.
---
--- There is one suggestion at a time, anchored where it was asked for. Before it is drawn or inserted, what the buffer
--- holds between the anchor and the cursor is compared with it: only text that continues what is there is ever shown,
--- and only what would be shown is inserted.

local config = require("repofill.config")
local neighbours = require("repofill.neighbours")
local server = require("repofill.server")
local text = require("repofill.text")

local M = {}

local NAMESPACE = vim.api.nvim_create_namespace("repofill")
local MARK = 1
local METHOD = "textDocument/inlineCompletion"
local INVOKED, AUTOMATIC = 1, 2 -- the protocol's InlineCompletionTriggerKind

---@class repofill.Candidate
---@field text string
---@field command lsp.Command?

---@class repofill.Suggestion
---@field bufnr integer
---@field row integer of the anchor, from 0
---@field head string the anchor's line before it
---@field tail string and after it
---@field candidates repofill.Candidate[]
---@field index integer of the one that is shown

---@class repofill.Place
---@field bufnr integer
---@field tick integer
---@field row integer
---@field col integer

---@type repofill.Suggestion?
local suggestion
---@type repofill.Place? where the buffer and cursor were looked at last
local seen
---@type fun()? cancels the request under way
local cancel
local drawn_in ---@type integer?
local timer = assert(vim.uv.new_timer())

---@return repofill.Place
local function place()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local bufnr = vim.api.nvim_get_current_buf()
  return { bufnr = bufnr, tick = vim.api.nvim_buf_get_changedtick(bufnr), row = row - 1, col = col }
end

--- Whether the user inserts text. One who records a macro does so without suggestions: its keys find none when it is
--- played.
---@return boolean
local function inserting()
  return vim.api.nvim_get_mode().mode:sub(1, 1) == "i" and vim.fn.reg_recording() == ""
end

---@param bufnr integer
---@param row integer
---@return string
local function line(bufnr, row)
  return vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ""
end

-- Drawing

local function erase()
  if drawn_in and vim.api.nvim_buf_is_valid(drawn_in) then
    vim.api.nvim_buf_del_extmark(drawn_in, NAMESPACE, MARK)
  end
  drawn_in = nil
end

---@param rest string
---@param at repofill.Place
local function draw(rest, at)
  local before, after = line(at.bufnr, at.row):sub(1, at.col), line(at.bufnr, at.row):sub(at.col + 1)
  local chunks = {} ---@type [string, string][][]
  for number, shown in ipairs(vim.split(rest, "\n")) do
    local column = number == 1 and vim.fn.strdisplaywidth(before) or 0
    shown = text.visible(shown, column, vim.bo[at.bufnr].tabstop, vim.api.nvim_strwidth)
    chunks[number] = { { shown, "RepofillSuggestion" } }
  end
  local first = table.remove(chunks, 1)
  local position = "inline"
  if #chunks > 0 and after ~= "" then -- what stands after the cursor will follow the last line: it is shown there
    position = "overlay"
    first[1][1] = first[1][1] .. (" "):rep(vim.fn.strdisplaywidth(after, vim.fn.strdisplaywidth(before)))
    table.insert(chunks[#chunks], { text.visible(after, 0, vim.bo[at.bufnr].tabstop, vim.api.nvim_strwidth), "Normal" })
  end
  if drawn_in ~= at.bufnr then
    erase()
  end
  drawn_in = at.bufnr
  vim.api.nvim_buf_set_extmark(at.bufnr, NAMESPACE, at.row, at.col, {
    id = MARK,
    virt_text = first,
    virt_text_pos = position,
    virt_lines = chunks,
    hl_mode = "combine",
  })
end

-- The suggestion against the buffer

--- What was typed since the suggestion was asked for; nil when the buffer changed in another way.
---@param at repofill.Place
---@return string?
local function typed_at(at)
  local s = suggestion
  if not s or s.bufnr ~= at.bufnr or at.row < s.row then
    return nil
  end
  local lines = vim.api.nvim_buf_get_lines(at.bufnr, s.row, at.row + 1, false)
  return text.typed(lines, at.col, s.head, s.tail)
end

--- What of the suggestion is still to come at the cursor. Beginning with the current candidate, the first one counts
--- that goes on with what was typed.
---@param at repofill.Place
---@param step? integer 1 or -1: from one candidate to the next
---@return string?
local function rest_at(at, step)
  local s, typed = suggestion, typed_at(at)
  if not s or not typed then
    return nil
  end
  for count = 0, #s.candidates - 1 do
    local index = (s.index - 1 + count * (step or 1)) % #s.candidates + 1
    local rest = text.rest(s.candidates[index].text, typed)
    if rest then
      s.index = index
      return rest
    end
  end
end

local function stop_asking()
  timer:stop()
  if cancel then
    cancel()
    cancel = nil
  end
end

--- Forgets the suggestion and whatever is under way.
function M.clear()
  stop_asking()
  suggestion, seen = nil, nil
  erase()
end

---@param answer any
---@param at repofill.Place
---@return repofill.Candidate[]
local function candidates(answer, at)
  local found = {} ---@type repofill.Candidate[]
  local items = type(answer) == "table" and (answer.items or answer)
  for _, item in ipairs(type(items) == "table" and items or {}) do
    local range = item.range
    local here = type(range) ~= "table" or vim.deep_equal(range.start, range["end"])
    if here and type(item.insertText) == "string" then
      local inserted = text.in_buffer(item.insertText, vim.bo[at.bufnr].fileformat)
      if inserted ~= "" then
        found[#found + 1] = { text = inserted, command = item.command }
      end
    end
  end
  return found
end

--- Draws what is left of the suggestion at the cursor, or nothing while a menu is open; false when nothing is left.
---@param at repofill.Place
---@param step? integer
---@return boolean
local function show(at, step)
  local rest = rest_at(at, step)
  if not rest then
    suggestion = nil
    erase()
    return false
  end
  if config.options.hide_during_menu and neighbours.menu_open() then
    erase()
  else
    draw(rest, at)
  end
  return true
end

--- Whether a suggestion may be asked for here.
---@return boolean
function M.possible()
  local bufnr = vim.api.nvim_get_current_buf()
  return config.enabled(bufnr) and server.client_of(bufnr) ~= nil
end

---@param kind integer
local function ask(kind)
  stop_asking()
  local at = place()
  if not M.possible() or not inserting() then
    return
  end
  local params = server.position(at.bufnr, at.row, at.col) --[[@as table]]
  params.context = { triggerKind = kind }
  local sent_ns = vim.uv.hrtime()
  local this ---@type fun()?
  this = server.request(at.bufnr, METHOD, params, function(answer)
    if cancel ~= this then
      return -- superseded
    end
    cancel = nil
    server.latency_ms = (vim.uv.hrtime() - sent_ns) / 1e6
    server.on_change()
    if not inserting() or not vim.deep_equal(at, place()) then
      return -- the text has moved on
    end
    local here = line(at.bufnr, at.row)
    suggestion = {
      bufnr = at.bufnr,
      row = at.row,
      head = here:sub(1, at.col),
      tail = here:sub(at.col + 1),
      candidates = candidates(answer, at),
      index = 1,
    }
    show(at)
    if server.state() ~= "ready" or server.model() == nil then
      server.refresh()
    end
  end)
  cancel = this
end

--- After every keystroke: the suggestion goes on with what was typed, or a new one is asked for.
---@param again? boolean also when neither text nor cursor has changed
function M.update(again)
  if not inserting() then
    return M.clear()
  end
  local at = place()
  if not again and seen and vim.deep_equal(at, seen) then
    return
  end
  seen = at
  if not config.enabled(at.bufnr) then
    return M.clear()
  end
  if show(at) then
    return stop_asking()
  end
  stop_asking()
  timer:start(
    config.options.debounce_ms,
    0,
    vim.schedule_wrap(function()
      ask(AUTOMATIC)
    end)
  )
end

--- After a menu has opened or closed: hides the suggestion or draws it again.
function M.redraw()
  if suggestion and inserting() then
    show(place())
  end
end

-- What keys do

--- Whether ghost text is on the screen and continues what stands there now; not so when only a candidate does that was
--- not drawn yet.
---@return boolean
function M.visible()
  local drawn = drawn_in and suggestion and suggestion.index
  return drawn ~= nil and inserting() and rest_at(place()) ~= nil and suggestion.index == drawn
end

--- Inserts a part of the suggestion at the cursor; nothing when none is shown.
---@param part repofill.Part
function M.insert(part)
  local at = place()
  local rest = M.visible() and rest_at(at)
  if not rest or not suggestion then
    return
  end
  local accepted = text.part(rest, part)
  local command = accepted == rest and suggestion.candidates[suggestion.index].command
  erase() -- pasting draws the screen
  vim.api.nvim_paste(accepted, false, -1) -- which counts as typed for "." and for an insertion that is repeated
  if command then
    server.execute(at.bufnr, command.command, command.arguments)
  end
  M.update()
end

--- Shows another candidate; asks for one, be it unsure, where there is none.
---@param step integer
function M.cycle(step)
  local at = place()
  local s = suggestion
  if not M.visible() or not s or #s.candidates < 2 then
    return ask(INVOKED)
  end
  s.index = (s.index - 1 + step) % #s.candidates + 1
  show(at, step)
end

--- Hides the suggestion until something is typed.
function M.dismiss()
  stop_asking()
  suggestion = nil
  erase()
end

return M
