// @p2p/p2py-compat is not built yet: this package exports nothing.
export {}
