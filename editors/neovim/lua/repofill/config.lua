--- The options of `setup`, and for which buffers suggestions are on.

local M = {}

---@class repofill.Keys Insert-mode keys; false leaves one unmapped.
---@field accept? string|false the whole suggestion
---@field accept_word? string|false its next word
---@field accept_line? string|false the rest of its line
---@field next? string|false the next candidate; asks for one when none is shown
---@field previous? string|false
---@field dismiss? string|false

---@class repofill.Options
---@field cmd? string[] the command that starts the server
---@field filetypes? string[] where suggestions are on; "*" for everywhere
---@field root_markers? (string|string[])[] what marks the top of a project
---@field settings? table the server's settings, nested as under `repofill.*`
---@field debounce_ms? integer pause in typing after which the server is asked
---@field hide_during_menu? boolean no ghost text while a completion menu is open
---@field keys? repofill.Keys

---@class repofill.Config: repofill.Options
---@field cmd string[]
---@field filetypes string[]
---@field root_markers (string|string[])[]
---@field settings table
---@field debounce_ms integer
---@field hide_during_menu boolean
---@field keys repofill.Keys
local defaults = {
  cmd = { "repofill", "serve" },
  -- What the server knows imports and definitions of.
  filetypes = {
    "python",
    "javascript",
    "javascriptreact",
    "typescript",
    "typescriptreact",
    "java",
    "go",
    "rust",
    "c",
    "cpp",
    "cs",
    "php",
    "ruby",
    "sh",
    "bash",
    "lua",
  },
  -- A repository may hold many manifests and is one project. The command line's PROJECT_MARKS are the same.
  root_markers = {
    "repofill.toml",
    ".git",
    {
      "pyproject.toml",
      "setup.py",
      "package.json",
      "tsconfig.json",
      "go.mod",
      "Cargo.toml",
      "pom.xml",
      "build.gradle",
      "build.gradle.kts",
      "composer.json",
      "Gemfile",
      "*.gemspec",
      "*.sln",
      "*.csproj",
      "CMakeLists.txt",
      "compile_commands.json",
      "Makefile",
      "*.rockspec",
    },
  },
  settings = vim.empty_dict(),
  debounce_ms = 20,
  hide_during_menu = true,
  keys = {
    accept = "<Tab>",
    accept_word = "<M-Right>",
    accept_line = "<M-C-Right>",
    next = "<M-]>",
    previous = "<M-[>",
    dismiss = "<C-]>",
  },
}

---@type repofill.Config
M.options = vim.deepcopy(defaults)

local on = { globally = true, filetypes = {} } ---@type { globally: boolean, filetypes: table<string, boolean> }

--- Takes the user's options over; a wrong one is named in the result and its default kept.
---@param options? repofill.Options
---@return string[] problems
function M.set(options)
  local problems = {} ---@type string[]
  local good = {} ---@type table<string, any>
  for name, value in pairs(options or {}) do
    local default = defaults[name]
    if default == nil then
      problems[#problems + 1] = ("setup{} knows no option `%s`"):format(name)
    elseif type(value) ~= type(default) then
      problems[#problems + 1] = ("option `%s` must be a %s"):format(name, type(default))
    else
      good[name] = value
    end
  end
  local keys = vim.tbl_extend("force", defaults.keys, good.keys or {})
  M.options = vim.tbl_extend("force", vim.deepcopy(defaults), good, { keys = keys })
  on = { globally = true, filetypes = {} }
  for _, filetype in ipairs(M.options.filetypes) do
    on.filetypes[filetype] = true
  end
  return problems
end

---@param bufnr integer
---@return boolean
local function filetype_on(bufnr)
  local choice = on.filetypes[vim.bo[bufnr].filetype]
  if choice == nil then
    choice = on.filetypes["*"]
  end
  return choice == true
end

--- Whether suggestions are on in a buffer. Only files have any: no prompts, terminals or nameless buffers.
---@param bufnr integer
---@return boolean
function M.enabled(bufnr)
  if not on.globally or vim.bo[bufnr].buftype ~= "" or vim.api.nvim_buf_get_name(bufnr) == "" then
    return false
  end
  local by_hand = vim.b[bufnr].repofill
  if by_hand ~= nil then
    return by_hand
  end
  return filetype_on(bufnr)
end

--- Whether a file's name is one of the markers, of which a `*` at the beginning stands for anything.
---@param markers string[]
---@return fun(name: string): boolean
local function marked_by(markers)
  return function(name)
    return vim.iter(markers):any(function(marker)
      return name == marker or marker:sub(1, 1) == "*" and vim.endswith(name, marker:sub(2))
    end)
  end
end

--- The folder of the project that a buffer belongs to: the nearest with the first marker, else with the second …
---@param bufnr integer
---@return string?
function M.root(bufnr)
  for _, marker in ipairs(M.options.root_markers) do
    local root = vim.fs.root(bufnr, type(marker) == "table" and marked_by(marker) or marker)
    if root then
      return root
    end
  end
end

---@alias repofill.Scope "globally"|"filetype"|"buffer"

--- Switches suggestions on or off in a scope, without `wanted` to what they are not. The narrower scope decides, except
--- that "globally" off is off everywhere.
---@param scope repofill.Scope
---@param bufnr integer
---@param wanted? boolean
---@return boolean on
function M.switch(scope, bufnr, wanted)
  if scope == "globally" then
    on.globally = wanted == nil and not on.globally or wanted == true
    return on.globally
  end
  if wanted == nil then
    wanted = not M.enabled(bufnr)
  end
  if scope == "filetype" then
    on.filetypes[vim.bo[bufnr].filetype] = wanted
  elseif wanted == filetype_on(bufnr) then
    vim.b[bufnr].repofill = nil
  else
    vim.b[bufnr].repofill = wanted
  end
  return wanted
end

return M
