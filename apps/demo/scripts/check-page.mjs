// Opens the page of the demo in a headless Chromium, as a person would, and checks what it shows:
//
//   node apps/demo/scripts/check-page.mjs [--python] [--full]
//
// Waits for what has to happen, never for a time. Screenshots go to reports/. Ends with a line that counts
// checks; status 1 if one failed. Without a Chromium (set CHROMIUM to its path) it says so and skips.
//
// --full simulates 1,000 nodes, not 60, and judges the frame rate with 60 live nodes, which depends on
// the machine: without it the rate is only told.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
const reports = join(root, 'reports')
const isFull = process.argv.includes('--full')
const withPython = process.argv.includes('--python')
const waitMs = 30_000
const liveNodes = 60
const simulatedNodes = isFull ? 1_000 : 60
/** Frames per second that the page has to keep; the average of so many seconds. */
const minFrameRate = 30
const measuredSeconds = isFull ? 5 : 2

const say = (line) => process.stdout.write(`${line}\n`)
let passed = 0
let failed = 0
async function check(title, run) {
  const begunMs = performance.now()
  try {
    const detail = await run()
    passed += 1
    const seconds = ((performance.now() - begunMs) / 1_000).toFixed(1)
    say(`ok    ${title}${detail ? `: ${detail}` : ''} (${seconds} s)`)
  } catch (error) {
    failed += 1
    say(`FAILED ${title}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`)
  }
}

function expect(condition, message) {
  if (!condition) throw new Error(message)
}

function findChromium() {
  const given = process.env.CHROMIUM
  const names = given === undefined ? ['chromium', 'chromium-browser', 'google-chrome'] : [given]
  for (const name of names) {
    const found = spawnSync('which', [name], { encoding: 'utf8' })
    if (found.status === 0) return found.stdout.trim()
  }
  return undefined
}

/** The demo as a process of its own; resolves once it says where its page is. */
async function startDemo() {
  const args = [join(root, 'apps', 'demo', 'dist', 'demo.js'), '--json']
  if (withPython) args.push('--python')
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (errors += text))
  const ended = once(child, 'close').then(([status]) => status)
  const first = once(createInterface({ input: child.stdout }), 'line')
  const line = await Promise.race([
    first.then(([text]) => text),
    ended.then((status) => {
      throw new Error(`the demo ended with status ${status}: ${errors.slice(-2_000)}`)
    }),
  ])
  return { address: JSON.parse(line).page, child, ended }
}

/** Waits until `condition`, which runs in the page, is true. */
const until = (page, condition, argument, timeout = waitMs) =>
  page.waitForFunction(condition, argument, { timeout, polling: 100 })

const rows = (page, condition) => page.locator(`[data-testid="nodes"] tr${condition}`)

async function openTab(context, address, problems) {
  const page = await context.newPage()
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text())
  })
  page.on('pageerror', (error) => problems.push(String(error)))
  await page.goto(address)
  await page.getByTestId('status').getByText('in 3 of 3 networks').waitFor({ timeout: waitMs })
  return page
}

/** Opens the list beside the picture, and waits until every network is in one piece. */
async function checkTopology(page) {
  await page.getByText('The picture as a list').click()
  await until(page, () => {
    const parts = [...document.querySelectorAll('[data-testid="health"] li')]
    return parts.length === 4 && parts.every((part) => part.dataset.pieces === '1')
  })
  const languages = ['TypeScript', 'JavaScript', ...(withPython ? ['Python'] : []), 'browser']
  for (const language of languages)
    await rows(page, `[data-language="${language}"]`).first().waitFor({ timeout: waitMs })
  await until(page, () => document.querySelectorAll('[data-testid="log"] li').length > 0)
  const label = await page.locator('.topology canvas').getAttribute('aria-label')
  // The rows stay in the page, and the picture takes less room.
  await page.getByText('The picture as a list').click()
  return label ?? ''
}

/** Names in the tooltip of a chat line or dictionary row, once all of them are there. */
async function waitForNames(page, selector, names) {
  await until(
    page,
    ([css, wanted]) => {
      const titles = [...document.querySelectorAll(css)].map((element) => element.title)
      return titles.some((title) => wanted.every((name) => title.split(', ').includes(name)))
    },
    [selector, names],
  )
}

async function checkChat(page) {
  const text = 'a line from the tab'
  await page.getByTestId('say').fill(text)
  await page.getByTestId('say').press('Enter')
  const names = ['mesh 1', 'mesh 5', 'js2p mesh', ...(withPython ? ['py2p mesh'] : [])]
  await waitForNames(page, `[data-testid="chat"] [data-text="${text}"] small`, names)
  return `heard by ${names.join(', ')}`
}

async function setKey(page, key, value) {
  await page.getByTestId('key').fill(key)
  await page.getByTestId('value').fill(value)
  await page.getByTestId('value').press('Enter')
}

/** An edit in one tab is everywhere, the other tab and the original programs included. */
async function checkEdit(page, other) {
  await setKey(page, 'colour', 'green')
  const names = ['sync 1', 'sync 4', 'js2p sync', ...(withPython ? ['py2p sync'] : [])]
  await waitForNames(page, '[data-testid="dictionary"] [data-key="colour"] td[title]', names)
  const row = '[data-testid="dictionary"] [data-key="colour"][data-value=\'"green"\']'
  await other.locator(row).waitFor({ timeout: waitMs })
  return `held by ${names.join(', ')} and the other tab`
}

/** A key that another tab leases cannot be changed, and the page says why. */
async function checkRefusal(other) {
  await setKey(other, 'colour', 'red')
  await other.getByTestId('refusal').getByText('leased by').waitFor({ timeout: waitMs })
}

const holdersOf = (page) =>
  page
    .locator('[data-testid="places"] tr')
    .evaluateAll((list) => list.map((row) => row.dataset.holders.split(' ').filter(Boolean)))

async function checkTable(page) {
  await page.getByTestId('slot').fill('planet')
  await page.getByTestId('slot-value').fill('earth')
  await page.getByTestId('slot-value').press('Enter')
  await page.getByTestId('outcome').getByText('acknowledged').waitFor({ timeout: waitMs })
  const holders = await holdersOf(page)
  expect(holders.length === 5, `${holders.length} places`)
  for (const list of holders) expect(new Set(list).size === 5, `${list.length} holders of a place`)
  return '5 places with 5 holders each'
}

/**
 * Kills a node that holds the key; the ring closes, the key has five holders again, and is read. Not the
 * bridge: with it would go the tab itself.
 */
async function checkRepair(page) {
  const [holders] = await holdersOf(page)
  const bridges = await rows(page, '[data-bridge="true"]').evaluateAll((list) =>
    list.map((row) => row.dataset.id),
  )
  const victim = holders.find((id) => !bridges.includes(id))
  const before = await rows(page, '[data-network="chord"]').count()
  await page.getByTestId('node').selectOption(victim)
  await page.getByRole('button', { name: 'Kill' }).click()
  await until(
    page,
    ([id, count]) => {
      const part = document.querySelector('[data-testid="health"] [data-network="chord"]')
      const places = [...document.querySelectorAll('[data-testid="places"] tr')]
      return (
        Number(part?.dataset.nodes) === count &&
        part.dataset.pieces === '1' &&
        places.every(({ dataset }) => {
          const holders = dataset.holders.split(' ')
          return holders.length === 5 && !holders.includes(id)
        })
      )
    },
    [victim, before - 1],
  )
  await page.getByRole('button', { name: 'Read' }).click()
  await page.getByTestId('outcome').getByText('"earth"').waitFor({ timeout: waitMs })
  return 'five holders again, and the value is read'
}

/** Pauses and cuts off a node, then heals. */
async function checkFaults(page) {
  const id = await rows(page, '[data-network="mesh"][data-language="TypeScript"]')
    .nth(2)
    .getAttribute('data-id')
  await page.getByTestId('node').selectOption(id)
  await page.getByRole('button', { name: 'Pause' }).click()
  await rows(page, `[data-id="${id}"]`)
    .getByText('paused')
    .waitFor({ state: 'attached', timeout: waitMs })
  await page.getByRole('button', { name: 'Go on' }).click()
  await rows(page, `[data-id="${id}"]`)
    .getByText('running')
    .waitFor({ state: 'attached', timeout: waitMs })
  await page.getByRole('button', { name: 'Cut off' }).click()
  const pieces = (count) =>
    page
      .locator(`[data-testid="health"] [data-network="mesh"][data-pieces="${count}"]`)
      .waitFor({ timeout: waitMs })
  await pieces(2)
  await page.getByRole('button', { name: 'Heal all' }).click()
  await pieces(1)
}

async function checkBytes(page) {
  const hold = page.getByLabel('hold', { exact: true })
  const rows = page.locator('[data-testid="log"] button:enabled')
  // The page is spared the bytes of a burst, and then there may be no row to open in what is held.
  for (let attempt = 0; attempt < 5; attempt += 1) {
    await rows.first().waitFor({ timeout: waitMs })
    await hold.click()
    if ((await rows.count()) > 0) break
    await hold.click()
  }
  await rows.last().click()
  await page.getByTestId('bytes').getByText('the message id').first().waitFor({ timeout: waitMs })
  await hold.click()
}

/** The mean of the rate that the page shows, a number each second. */
async function frameRate(page) {
  return page.evaluate(async (seconds) => {
    const shown = document.querySelector('[data-testid="rate"]')
    const rates = []
    await new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        rates.push(Number(shown.dataset.rate))
        if (rates.length > seconds) resolve(observer.disconnect())
      })
      observer.observe(shown, { attributes: true, attributeFilter: ['data-rate'] })
    })
    // The first second was not watched from its beginning.
    return rates.slice(1).reduce((sum, rate) => sum + rate, 0) / seconds
  }, measuredSeconds)
}

async function checkManyLive(page) {
  const total = () =>
    page.evaluate(() =>
      [...document.querySelectorAll('[data-testid="health"] li')].reduce(
        (sum, { dataset }) => sum + Number(dataset.nodes),
        0,
      ),
    )
  await page.getByLabel('how many').fill(String(liveNodes - (await total())))
  await page.getByLabel('network of the new nodes').selectOption('mesh')
  await page.getByRole('button', { name: 'Add nodes' }).click()
  await until(
    page,
    (wanted) => {
      const parts = [...document.querySelectorAll('[data-testid="health"] li')]
      const nodes = parts.reduce((sum, { dataset }) => sum + Number(dataset.nodes), 0)
      return nodes >= wanted && parts.every(({ dataset }) => dataset.pieces === '1')
    },
    liveNodes,
  )
  const rate = await frameRate(page)
  if (isFull) expect(rate >= minFrameRate, `${rate.toFixed(1)} frames/s: ${minFrameRate} wanted`)
  return `${rate.toFixed(1)} frames/s with ${await total()} nodes`
}

async function checkSimulation(page) {
  await page.getByTestId('sim-nodes').fill(String(simulatedNodes))
  await page.getByTestId('simulate').click()
  await until(
    page,
    (wanted) => {
      const part = document.querySelector('[data-testid="health"] [data-network="mesh"]')
      return Number(part?.dataset.nodes) === wanted && part.dataset.pieces === '1'
    },
    simulatedNodes,
    2 * waitMs,
  )
  await until(
    page,
    (wanted) =>
      [...document.querySelectorAll('[data-testid="chat"] li')].some(
        ({ dataset }) => Number(dataset.heard) >= wanted,
      ),
    simulatedNodes,
    2 * waitMs,
  )
  return `${simulatedNodes} nodes, all joined; a message reached each. ${(await frameRate(page)).toFixed(1)} frames/s`
}

/** No port of the demo answers any more. */
async function isClosed(address) {
  const { hostname, port } = new URL(address)
  const socket = connect(Number(port), hostname)
  return new Promise((resolve) => {
    socket.once('error', () => resolve(true))
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
  })
}

async function main() {
  const executablePath = findChromium()
  if (executablePath === undefined) {
    say('skipped 1: no Chromium found (set CHROMIUM to its path)')
    say('0 passed, 0 failed')
    return
  }
  mkdirSync(reports, { recursive: true })
  const demo = await startDemo()
  const browser = await chromium.launch({
    executablePath,
    args: ['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
    chromiumSandbox: process.getuid?.() !== 0,
  })
  const problems = []
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 1000 } })
    const page = await openTab(context, demo.address, problems)
    const shoot = async (name) => {
      await page.evaluate(() => scrollTo(0, 0))
      await page.screenshot({ path: join(reports, `${name}.png`) })
    }
    await check('the page shows the live network', () => checkTopology(page))
    await check('a chat line from the tab arrives at TCP nodes and at js2p', () => checkChat(page))
    const other = await openTab(context, demo.address, problems)
    await check('an edit arrives everywhere and in another tab', () => checkEdit(page, other))
    await check('an edit of a leased key is refused', () => checkRefusal(other))
    await other.close()
    await check('a key of the hash table has its holders', () => checkTable(page))
    await shoot('page-light')
    await check('a killed node is repaired', () => checkRepair(page))
    await check('a node is paused, cut off and healed', () => checkFaults(page))
    await check('a message shows its bytes', () => checkBytes(page))
    await check('many live nodes move', () => checkManyLive(page))
    await page.emulateMedia({ colorScheme: 'dark' })
    await shoot('page-dark')
    await check('a simulation of many nodes in the tab', () => checkSimulation(page))
    await shoot('page-simulation')
    await check('nothing on the console', () =>
      expect(problems.length === 0, problems.slice(0, 3).join(' | ')),
    )
  } finally {
    await browser.close()
    demo.child.stdin.write('q')
  }
  const status = await demo.ended
  await check('q ends the demo with no process and no port left', async () => {
    expect(status === 0, `status ${status}`)
    expect(await isClosed(demo.address), 'the port still answers')
  })
  say(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

await main()
