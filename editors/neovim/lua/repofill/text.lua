--- What a suggestion's text means beside a buffer's. Pure: no Neovim API, so it is tested by tables of cases.

local M = {}

local WORD = "[%w_\128-\255]" -- the bytes of a multi-byte character never come apart
local OTHER = "[^%w_%s\128-\255]"

--- A server's text in a buffer's own terms: that of a "dos" or "mac" file holds no carriage return.
---@param text string
---@param fileformat string
---@return string
function M.in_buffer(text, fileformat)
  if fileformat == "unix" then
    return text
  end
  return (text:gsub("\r\n?", "\n"))
end

--- What has been typed between an anchor and the cursor; nil when anything else changed around it.
---@param lines string[] the buffer's lines from the anchor's to the cursor's
---@param col integer bytes before the cursor in the last of them
---@param head string what stood before the anchor on its line
---@param tail string what stood after it
---@return string?
function M.typed(lines, col, head, tail)
  local first, last = lines[1], lines[#lines]
  if not first or first:sub(1, #head) ~= head or last:sub(col + 1) ~= tail then
    return nil
  end
  if #lines == 1 then
    return col >= #head and first:sub(#head + 1, col) or nil
  end
  local between = { first:sub(#head + 1) }
  for number = 2, #lines - 1 do
    between[number] = lines[number]
  end
  between[#lines] = last:sub(1, col)
  return table.concat(between, "\n")
end

--- What is left of a suggestion once `typed` stands in the buffer; nil when that is not how it begins, or all of it.
---@param suggestion string
---@param typed string
---@return string?
function M.rest(suggestion, typed)
  if #typed < #suggestion and suggestion:sub(1, #typed) == typed then
    return suggestion:sub(#typed + 1)
  end
end

---@alias repofill.Part "all"|"word"|"line"

--- The part of a suggestion that one key accepts. A word takes the white space before it along, a line that has come to
--- its end goes on to the next.
---@param text string
---@param part repofill.Part
---@return string
function M.part(text, part)
  if part == "word" then
    return text:match("^%s*" .. WORD .. "+") or text:match("^%s*" .. OTHER .. "+") or text
  end
  if part == "line" then
    return text:match("^\r?\n?[^\r\n]*")
  end
  return text
end

--- A line as it will look from display column `column` on: tabs as spaces, other control characters by name.
---@param line string
---@param column integer
---@param tabstop integer
---@param width fun(text: string): integer display cells of a text without tabs
---@return string
function M.visible(line, column, tabstop, width)
  local shown = ""
  for piece, control in (line:gsub("\r$", "")):gmatch("([^%c]*)(%c?)") do
    shown = shown .. piece
    if control == "\t" then
      local at = column + width(shown)
      shown = shown .. (" "):rep(tabstop - at % tabstop)
    elseif control ~= "" then
      shown = shown .. "^" .. string.char((control:byte() + 64) % 128)
    end
  end
  return shown
end

return M
