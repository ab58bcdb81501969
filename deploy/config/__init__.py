"""`whymesh get`, `apply`, `diff`, `delete`, `history`, `rollback`, `status`, `token`: the control plane's API from a
shell."""
