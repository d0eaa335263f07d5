// @p2p/chord is not built yet: this package exports nothing.
export {}
