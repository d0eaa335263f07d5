/** The chat of the mesh: a line goes to every node, and each says when it got it. */
import { useState } from 'preact/hooks'
import type { JSX } from 'preact'
import type { Source } from './source.ts'

const shownLines = 8

export function Chat({ source }: { readonly source: Source }): JSX.Element {
  const { world, ownIds } = source
  const [text, setText] = useState('')
  const lines = world.chat.filter(({ sender }) => world.nodes.get(sender)?.network !== 'p2py')
  return (
    <section class="chat" aria-labelledby="chat-title">
      <h2 id="chat-title">Chat</h2>
      <ol aria-live="off" data-testid="chat">
        {lines.slice(-shownLines).map(({ sender, text: line, heardBy }, index) => (
          <li key={`${sender} ${line} ${index}`} data-text={line} data-heard={heardBy.size}>
            <b>{ownIds.has(sender) ? 'you' : world.nameOf(sender)}</b> {line}
            <small title={[...heardBy].map((id) => world.nameOf(id)).join(', ')}>
              {' '}
              heard by {heardBy.size}
            </small>
          </li>
        ))}
      </ol>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (text !== '') source.say(text)
          setText('')
        }}
      >
        <input
          data-testid="say"
          aria-label="Say something to everybody"
          placeholder="Say something to everybody"
          value={text}
          maxLength={200}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
        <button>Say</button>
      </form>
    </section>
  )
}
