--- `:checkhealth repofill`

local config = require("repofill.config")
local keys = require("repofill.keys")
local server = require("repofill.server")

local M = {}

local DOCTOR_MS = 60000

local function editor()
  if vim.fn.has("nvim-0.10") == 1 then
    vim.health.ok("Neovim " .. tostring(vim.version()))
  else
    vim.health.error("Neovim 0.10 or newer is needed", "This is " .. tostring(vim.version()))
  end
  if vim.fn.exists(":Repofill") == 0 then
    vim.health.error("not set up", 'call require("repofill").setup{} in your configuration')
  end
end

local function keymaps()
  for _, key in ipairs(keys.taken()) do
    vim.health.warn(("%s is mapped by something else: %s does not work"):format(key.lhs, key.action), {
      "Call setup{} after what maps it, which then gets the key whenever there is no suggestion,",
      ("or choose another with setup{ keys = { %s = … } }."):format(key.action),
    })
  end
end

---@param executable string
local function doctor(executable)
  local ran, process = pcall(vim.system, { executable, "doctor", "--json" }, { text = true, timeout = DOCTOR_MS })
  if not ran then
    return vim.health.error(
      ("%s cannot be started: %s"):format(executable, process),
      "Install it anew: the Python that it was made for may be gone (:help repofill-install)"
    )
  end
  local done = process:wait()
  local ok, findings = pcall(vim.json.decode, done.stdout or "")
  if not ok then
    return vim.health.error("`repofill doctor` gave no answer", vim.trim(done.stderr or ""))
  end
  for _, finding in ipairs(findings) do
    local report = finding.ok and vim.health.ok or vim.health.error
    report(("%s: %s"):format(finding.name, finding.text))
  end
end

local function running()
  local state = server.state()
  if state == "stopped" then
    return vim.health.info(
      "the server is not running: it starts with the first file of " .. table.concat(config.options.filetypes, ", ")
    )
  end
  local status = server.status
  if state == "failed" then
    local reason = status and status.engine.reason or "the server does not run"
    vim.health.error(reason, "Mend it, then :Repofill restart")
  else
    vim.health.ok("the server is running, its model: " .. state)
  end
  for _, message in ipairs(server.said) do
    vim.health.warn(message)
  end
end

function M.check()
  vim.health.start("repofill: editor")
  editor()
  keymaps()
  vim.health.start("repofill: server")
  local executable = server.find()
  if not executable then
    vim.health.error(("`%s` cannot be run"):format(config.options.cmd[1]), "See :help repofill-install")
    return
  end
  vim.health.ok(executable)
  running()
  vim.health.start("repofill: doctor")
  doctor(executable)
end

return M
