// @p2p/mesh is not built yet: this package exports nothing.
export {}
