/**
 * Where our behaviour is deliberately not the one that was recorded from the original programs. A check
 * under such an entry still checks what we do; it is counted, and named on stderr, instead of passing in
 * silence. Each entry says what the originals do, what we do, why, and where the rule comes from.
 */
export interface DeliberateDifference {
  /** What the references were seen to do. */
  readonly references: string
  /** What we do, and the check asserts. */
  readonly rule: string
  readonly reason: string
  /** Section of the protocol notes that asks for it. */
  readonly source: string
}

export type DifferenceName =
  | 'p2py-variants-meet'
  | 'message-header-types'
  | 'packs-as-py2p'
  | 'reads-as-py2p'
  | 'refuses-as-py2p'
  | 'any-known-method'
  | 'checksum-decides'
  | 'nesting-limit'
  | 'size-limit'
  | 'root-must-be-an-array'
  | 'method-numbers-only'
  | 'python-equality'
  | 'carried-id'
  | 'resends-whole'
  | 'never-asks-again'
  | 'keys-and-owners-are-bytes'
  | 'stamps-decide'
  | 'presence-not-truth'
  | 'survives-bad-writes'
  | 'deletes-what-is-there'
  | 'nothing-goes-back'

export const deliberateDifferences: Readonly<Record<DifferenceName, DeliberateDifference>> = {
  'p2py-variants-meet': {
    references: 'p2py with the "keep" flag takes the first message of one without for the flag',
    rule: 'a first value that is no bool is a message; both variants are understood',
    reason: 'nodes of both releases can be in one network through us',
    source: 'p2py 2',
  },
  'message-header-types': {
    references: 'any value is taken as type, sender and time; handlers raise, or ignore it',
    rule: 'a message has an integer type and time and a text or bytes sender; others are refused by code',
    reason: 'nothing can be done with such a message, and py2p drops the link over a text time',
    source: 'wire 1.1, 4.2',
  },
  'packs-as-py2p': {
    references:
      'js2p writes integers outside int32 as float64, 1.0 as an integer, map keys as text',
    rule: 'we write the bytes of py2p: every number and key keeps its type',
    reason: 'a value must arrive as it was sent; js2p reads these bytes too',
    source: 'wire 2.1',
  },
  'reads-as-py2p': {
    references:
      'js2p loses types when reading: 5.0 becomes 5, keys become text, large integers round',
    rule: 'we read the values py2p reads',
    reason: 'a value must arrive as it was sent',
    source: 'wire 2.1, 2.2',
  },
  'refuses-as-py2p': {
    references:
      'js2p accepts text that is not UTF-8, equal map keys, unknown extensions; py2p does not',
    rule: 'we refuse what py2p refuses',
    reason: 'what a Python neighbour drops its link over must not be delivered or relayed by us',
    source: 'wire 2.2',
  },
  'any-known-method': {
    references: 'a block compressed with a method that was not agreed is refused',
    rule: 'any method we know is read, whatever was agreed',
    reason: 'both ends change their lists while frames are under way; the checksum decides',
    source: 'wire 6.4 rule 3',
  },
  'checksum-decides': {
    references: 'py2p refuses a compressed stream whose trailer is cut; js2p does not',
    rule: 'a block whose SHA-256 is right is taken',
    reason: 'the digest proves the content, the trailer of the compressor adds nothing',
    source: 'wire 6.4 rule 3',
  },
  'nesting-limit': {
    references: 'py2p takes 100 levels of nesting, js2p 512',
    rule: '64 levels by default',
    reason: 'a bound that no real message meets and that no stack can run out under',
    source: 'design 8',
  },
  'size-limit': {
    references: 'no limit on what a frame inflates to',
    rule: '32 MiB and 1,100 times its size by default',
    reason: 'a small frame must not cost much memory',
    source: 'design 8, wire 6.4 rule 4',
  },
  'root-must-be-an-array': {
    references:
      'text and bytes are indexed as if they were arrays, and the message decodes to nonsense',
    rule: 'a body that is no array is refused',
    reason: 'such a message means nothing',
    source: 'wire 2.2',
  },
  'method-numbers-only': {
    references: 'py2p takes the characters of a text, or any value, as method names',
    rule: 'a list of methods is an array; what is no number in it names no method',
    reason: 'methods are numbers',
    source: 'wire 2.3, 3',
  },
  'python-equality': {
    references: 'in Python true equals 1, and 1.0 equals 1',
    rule: 'a flag or method that is a boolean is none; a float with a whole value is that integer',
    reason: 'js2p agrees with us on booleans, py2p on floats; neither sends them',
    source: 'wire 2.1',
  },
  'carried-id': {
    references: '0.2 and 0.3 do not look at the id in a message and report one they compute',
    rule: 'we report the id that stands in the message, and that it is not the digest',
    reason: 'a reader of archives can tell a damaged message from a sound one',
    source: 'wire 11.2',
  },
  'resends-whole': {
    references: 'py2p sends its last message again without its main flag; js2p drops the link',
    rule: 'the last message goes out again as it was, once',
    reason: 'py2p means that, and whole messages harm nobody',
    source: 'mesh 6',
  },
  'never-asks-again': {
    references: 'py2p answers what is no message with renegotiate and resend; js2p ignores it',
    rule: 'such a message is ignored, nothing is asked',
    reason: 'those two answers cost py2p its links to its own kind, and js2p raises over them',
    source: 'mesh 6, 5.2',
  },
  'keys-and-owners-are-bytes': {
    references:
      'text and bytes of one id are two owners, or one, or raise; any value is a key; nil is an owner',
    rule: 'keys and owners are byte strings, whatever their type was; what is neither is not taken',
    reason: 'py2p and js2p write the same key in two types, and drop links over it',
    source: 'wire 2.3, 2.4; sync 3, 8.9',
  },
  'stamps-decide': {
    references: "the receiver's clock and the order of arrival decide which of two writes stays",
    rule: 'the stamps of the writes decide: the first lease stays, the last write of one owner stays',
    reason: 'nodes that decide by arrival differ for good after a partition',
    source: 'sync 8.1, 8.4; design 6',
  },
  'presence-not-truth': {
    references: 'a copy replaces a value that is there but empty, zero or false',
    rule: 'a copy is a write like any other; a later one of the same owner stays',
    reason: 'an old copy must not undo a newer value because that is 0',
    source: 'sync 8.12',
  },
  'survives-bad-writes': {
    references: 'a handler raises and the link is dropped, or a half-made change stays behind',
    rule: 'the write is not taken; nothing else happens',
    reason: 'one bad message must not cost a link',
    source: 'sync 4, 8.7',
  },
  'deletes-what-is-there': {
    references:
      'a delete sends nil to all five owners, and an owner without the entry drops the link',
    rule: 'the five owners are asked, and nil goes to those that hold a value',
    reason: 'a second delete must not cost the network its links',
    source: 'chord 7, 12.7',
  },
  'nothing-goes-back': {
    references: 'a store or retrieve goes back to the neighbour that sent it, and a nil with it',
    rule: 'a store is kept, a retrieve is answered once with what is here',
    reason: 'who sent it believes that we are nearer; it would go to and fro',
    source: 'chord 6.2, 6.3',
  },
}
