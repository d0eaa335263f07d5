// @p2p/sync is not built yet: this package exports nothing.
export {}
