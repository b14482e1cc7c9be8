-- Put into ~/.config/nvim/plugin/sched.lua.
vim.filetype.add({ extension = { sched = "sched" } })

vim.api.nvim_create_autocmd("FileType", {
  pattern = "sched",
  callback = function(event)
    vim.bo[event.buf].commentstring = "# %s"
    vim.bo[event.buf].shiftwidth = 2
    vim.bo[event.buf].expandtab = true
    vim.lsp.start({
      name = "headrace",
      cmd = { "headrace", "lsp" },
      root_dir = vim.fs.dirname(event.file),
    })
  end,
})

vim.api.nvim_create_autocmd("BufWritePre", {
  pattern = "*.sched",
  callback = function()
    vim.lsp.buf.format({ timeout_ms = 1000 })
  end,
})
