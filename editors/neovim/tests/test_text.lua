-- Tables of cases for the pure text logic: `nvim -l test_text.lua`, which fails with the case that fails.
package.path = vim.fs.joinpath(vim.fs.dirname(debug.getinfo(1, "S").source:sub(2)), "../lua/?.lua;") .. package.path
local text = require("repofill.text")

local cases = 0

---@param what string
---@param got any
---@param wanted any
local function check(what, got, wanted)
  cases = cases + 1
  assert(vim.deep_equal(got, wanted), ("%s: %s, not %s"):format(what, vim.inspect(got), vim.inspect(wanted)))
end

for _, case in ipairs({
  { "a(b, c)", "a" },
  { "(b, c)", "(" },
  { " b)", " b" },
  { "  == c", "  ==" },
  { "\n    return x", "\n    return" },
  { "naïve 界", "naïve" },
  { "界。x", "界。x" },
  { "👍🏽!", "👍🏽" },
  { "_a1 b", "_a1" },
  { '"x"', '"' },
  { "  ", "  " },
  { "\r\n  a", "\r\n  a" },
}) do
  check("word of " .. vim.inspect(case[1]), text.part(case[1], "word"), case[2])
end

for _, case in ipairs({
  { "a b\nc", "a b" },
  { "\nc\nd", "\nc" },
  { "a", "a" },
  { "a\r\nb", "a" },
  { "\r\nb\r\nc", "\r\nb" },
  { "\n\nb", "\n" },
}) do
  check("line of " .. vim.inspect(case[1]), text.part(case[1], "line"), case[2])
end

for _, case in ipairs({
  { "abc", "", "abc" },
  { "abc", "ab", "c" },
  { "abc", "abc", nil },
  { "abc", "x", nil },
  { "abc", "abcd", nil },
  { "é", "\195", "\169" },
}) do
  check("rest of " .. case[1] .. " after " .. case[2], text.rest(case[1], case[2]), case[3])
end

for _, case in ipairs({
  { { "foo bar" }, 3, "fo", " bar", "o" },
  { { "foo" }, 3, "foo", "", "" },
  { { "foo" }, 2, "foo", "", nil },
  { { "foo)" }, 3, "fo", "", nil },
  { { "fob" }, 3, "fx", "", nil },
  { { "if x:", "    r)" }, 5, "if", ")", " x:\n    r" },
  { { "a", "", "b" }, 1, "a", "", "\n\nb" },
  { {}, 0, "", "", nil },
}) do
  check("typed in " .. vim.inspect(case[1]), text.typed(case[1], case[2], case[3], case[4]), case[5])
end

for _, case in ipairs({
  { "a\r\nb", "unix", "a\r\nb" },
  { "a\r\nb\rc\nd", "dos", "a\nb\nc\nd" },
  { "a\rb", "mac", "a\nb" },
}) do
  check("in a buffer", text.in_buffer(case[1], case[2]), case[3])
end

for _, case in ipairs({
  { "a\tb", 0, 4, "a   b" },
  { "\tb", 3, 4, " b" },
  { "界\tb", 0, 4, "界  b" },
  { "\t\t", 1, 8, (" "):rep(15) },
  { "a\r", 0, 8, "a" },
  { "\27[m\127", 0, 8, "^[[m^?" },
}) do
  check("visible " .. vim.inspect(case[1]), text.visible(case[1], case[2], case[3], vim.api.nvim_strwidth), case[4])
end

print(("%d cases"):format(cases))
