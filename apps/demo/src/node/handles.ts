/** What keeps this process alive besides its standard streams: sockets, servers, timers. */

/** Kinds of resources a node could leave behind; pipes, terminals and file requests are the process's own. */
const nodeResources = new Set([
  'TCPSocketWrap',
  'TCPServerWrap',
  'TLSWrap',
  'TCPConnectWrap',
  'GetAddrInfoReqWrap',
  'Timeout',
  'Immediate',
  'UDPWrap',
])

export function openResources(): readonly string[] {
  return process.getActiveResourcesInfo().filter((name) => nodeResources.has(name))
}
