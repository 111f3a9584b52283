--- The menus and snippets of others that draw at the cursor or want its keys: Neovim's own, nvim-cmp, blink.cmp and
--- LuaSnip. None of them is loaded from here.

local M = {}

---@param name string
---@param method string
---@param ... any
---@return boolean what a method of a module says, false where the module is not loaded or has no such method
local function says(name, method, ...)
  local module = package.loaded[name]
  if type(module) ~= "table" or not module[method] then
    return false
  end
  local ok, answer = pcall(module[method], ...)
  return ok and answer == true
end

--- Whether a completion menu is open.
---@return boolean
function M.menu_open()
  return vim.fn.pumvisible() == 1 or says("cmp", "visible") or says("blink.cmp", "is_visible")
end

--- Whether <Tab> would go to the next place of a snippet.
---@return boolean
function M.snippet_active()
  return vim.snippet.active({ direction = 1 }) or says("luasnip", "locally_jumpable", 1)
end

local watching_cmp = false

--- Calls back whenever a menu has opened or closed.
---@param group integer an autocommand group
---@param changed fun()
function M.watch_menus(group, changed)
  local function soon()
    vim.schedule(changed) -- some announce the change before they make it
  end
  vim.api.nvim_create_autocmd({ "CompleteChanged", "CompleteDone" }, { group = group, callback = soon })
  vim.api.nvim_create_autocmd("User", {
    group = group,
    pattern = { "BlinkCmpMenuOpen", "BlinkCmpMenuClose" },
    callback = soon,
  })
  vim.api.nvim_create_autocmd("InsertEnter", {
    group = group,
    callback = function() -- nvim-cmp is often loaded as late as this
      local cmp = package.loaded["cmp"]
      if not watching_cmp and cmp and cmp.event then
        watching_cmp = true
        cmp.event:on("menu_opened", soon)
        cmp.event:on("menu_closed", soon)
      end
    end,
  })
end

return M
