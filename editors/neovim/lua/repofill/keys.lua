--- Insert-mode keys. Each does what it did before where there is no suggestion for it, or a menu or snippet wants it.

local ghost = require("repofill.ghost")
local neighbours = require("repofill.neighbours")

local M = {}

local DESCRIBED = "repofill: "

---@param call string
---@return string
local function command(call)
  return ('<Cmd>lua require("repofill.ghost").%s<CR>'):format(call)
end

---@param part repofill.Part
---@return string accepting is an undo step of its own
local function accepting(part)
  return "<C-g>u" .. command(("insert(%q)"):format(part)) .. "<C-g>u"
end

---@type table<string, { does: string, wanted: fun(): boolean }> by the name that the key has in setup{}
local ACTIONS = {
  accept = { does = accepting("all"), wanted = ghost.visible },
  accept_word = { does = accepting("word"), wanted = ghost.visible },
  accept_line = { does = accepting("line"), wanted = ghost.visible },
  next = { does = command("cycle(1)"), wanted = ghost.possible },
  previous = { does = command("cycle(-1)"), wanted = ghost.possible },
  dismiss = { does = command("dismiss()"), wanted = ghost.visible },
}

---@type { action: string, lhs: string, before: table<string, any>? }[]
local mapped = {}

---@param action string
---@return string
local function plug(action)
  return ("<Plug>(repofill-%s)"):format(action:gsub("_", "-"))
end

---@param lhs string
---@return string
local function raw(lhs)
  return vim.api.nvim_replace_termcodes(lhs, true, true, true)
end

---@param lhs string
---@return boolean
local function wanted_by_others(lhs)
  return raw(lhs) == "\t" and (neighbours.menu_open() or neighbours.snippet_active())
end

---@param lhs string
---@return table<string, any>? mapping the global one of insert mode, as |maparg()| describes it
local function global_mapping(lhs)
  for _, mapping in ipairs(vim.api.nvim_get_keymap("i")) do
    if vim.fn.keytrans(mapping.lhsraw) == vim.fn.keytrans(raw(lhs)) then
      return mapping
    end
  end
end

---@param mapping table<string, any>
---@return boolean
local function is_ours(mapping)
  return vim.startswith(mapping.desc or "", DESCRIBED)
end

---@param mapping table<string, any>
---@param lhs string
local function map_as(mapping, lhs)
  vim.fn.mapset("i", false, vim.tbl_extend("force", mapping, { lhs = lhs, lhsraw = raw(lhs), lhsrawalt = raw(lhs) }))
end

---@param keys string
---@param mode "m"|"n" with or without mappings
local function feed(keys, mode)
  vim.api.nvim_feedkeys(raw(keys), "i" .. mode, false)
end

local handed_on ---@type string? a key whose mapping of before is under way
local HANDED = "<Plug>(repofill-handed-on)"

--- What to do is decided when the key's turn has come: an <expr> mapping is evaluated as early as Neovim looks ahead,
--- when letters typed before it may not stand in the buffer yet.
---@param action string
---@param lhs string
local function map(action, lhs)
  local before = global_mapping(lhs)
  local replaced = ("<Plug>(repofill-not-%s)"):format(action)
  if before and is_ours(before) then -- of this module before it was loaded anew: what that replaced is kept there
    before = global_mapping(replaced)
  end
  if before then
    map_as(before, replaced)
  end
  vim.keymap.set("i", lhs, function()
    local itself = handed_on == lhs -- `imap <expr> <Tab> … : '<Tab>'` means the bare key by that
    handed_on = nil
    if itself then
      feed(lhs, "n")
    elseif ACTIONS[action].wanted() and not wanted_by_others(lhs) then
      feed(plug(action), "m")
    elseif before and before.noremap == 0 then
      handed_on = lhs
      feed(replaced .. HANDED, "m")
    elseif before then
      feed(replaced, "m")
    else
      feed("<C-]>" .. lhs, "n") -- a key that is fed completes no abbreviation, so CTRL-] does
    end
  end, { desc = DESCRIBED .. action:gsub("_", " ") })
  mapped[#mapped + 1] = { action = action, lhs = lhs, before = before }
end

--- Maps the configured keys; those of an earlier call become again what they were.
---@param keys repofill.Keys
function M.set(keys)
  for index = #mapped, 1, -1 do
    local key = mapped[index]
    pcall(vim.keymap.del, "i", key.lhs) -- the user may have done so
    if key.before then
      map_as(key.before, key.lhs)
    end
  end
  mapped = {}
  vim.keymap.set("i", HANDED, function()
    handed_on = nil
  end)
  for action, about in pairs(ACTIONS) do
    vim.keymap.set("i", plug(action), about.does)
    local lhs = keys[action]
    if lhs then
      map(action, lhs)
    end
  end
end

--- The configured keys that something else has mapped since.
---@return { action: string, lhs: string }[]
function M.taken()
  local taken = {} ---@type { action: string, lhs: string }[]
  for _, key in ipairs(mapped) do
    if not is_ours(vim.fn.maparg(key.lhs, "i", false, true)) then
      taken[#taken + 1] = { action = key.action, lhs = key.lhs }
    end
  end
  return taken
end

--- Does what a key would do, wherever it is called from.
---@param action string
function M.press(action)
  assert(ACTIONS[action], "repofill: there is no " .. action) -- what is not mapped would be typed
  feed(plug(action), "m")
end

return M
