/**
 * The texts of the page: `node texts.mjs` writes, as JSON, those that people would read though they do not go through `t`
 * (`bare`), and the keys that a catalogue has to have (`keys`). `tests/checks.py` asks.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from 'typescript'

const SOURCE = new URL('./src/', import.meta.url).pathname
/** Attributes, and names in tables, that people read. */
const READ = new Set(['title', 'label', 'placeholder', 'aria-label', 'alt', 'description', 'about', 'summary', 'help'])
const IN_TABLES = new Set(['label', 'group', 'about', 'meaning'])
/** What tells people something. */
const TELLING = new Set(['tell', 'tellError', 'announce', 'onError'])
/** The same in every language: names, signs, units. */
const UNIVERSAL = new Set(['Maskloop', 'API', 'IoU', 'px', 'COCO', 'SA-1B', 'AP', 'AR', 'S3', 'SHA-256', 'S3_SOURCES', 'Esc', 'Ctrl', 'Enter'])

const bare = []
const keys = new Set()

function isText(words) {
  const rest = words.replace(/[\p{L}\d_-]+/gu, word => (UNIVERSAL.has(word) ? '' : word))
  return /\p{L}{2,}/u.test(rest)
}

/** As a text stands in a row of a table, where keys, numbers and drawings stand, too. */
function isSentence(words) {
  return /^\p{Lu}\p{Ll}+ \S/u.test(words)
}

function literalsIn(node) {
  if (ts.isStringLiteralLike(node)) return [node]
  if (ts.isTemplateExpression(node)) return [node]
  if (ts.isConditionalExpression(node)) return [...literalsIn(node.whenTrue), ...literalsIn(node.whenFalse)]
  if (ts.isParenthesizedExpression(node)) return literalsIn(node.expression)
  if (ts.isBinaryExpression(node)) return [...literalsIn(node.left), ...literalsIn(node.right)]
  return []
}

function wordsOf(literal) {
  return ts.isTemplateExpression(literal)
    ? [literal.head.text, ...literal.templateSpans.map(span => span.literal.text)].join(' ')
    : literal.text
}

function look(file) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX)
  const say = (node, words) => {
    if (!isText(words)) return
    const { line } = source.getLineAndCharacterOfPosition(node.getStart())
    bare.push({ file: relative(SOURCE, file), line: line + 1, text: words.trim().replace(/\s+/g, ' ') })
  }
  const visit = node => {
    if (ts.isJsxText(node)) say(node, node.text)
    if (ts.isJsxAttribute(node) && READ.has(node.name.getText()) && node.initializer) {
      const value = ts.isJsxExpression(node.initializer) ? node.initializer.expression : node.initializer
      for (const literal of value ? literalsIn(value) : []) say(literal, wordsOf(literal))
    }
    if (ts.isJsxExpression(node) && node.expression && !ts.isJsxAttribute(node.parent)) {
      const { expression } = node
      // What stands left of && is a condition, not a text.
      const shown = ts.isBinaryExpression(expression) ? expression.right : expression
      for (const literal of literalsIn(shown)) say(literal, wordsOf(literal))
    }
    if (ts.isCallExpression(node)) {
      const called = node.expression.getText()
      const [first] = node.arguments
      if (first && ['t', 'text'].includes(called)) for (const one of literalsIn(first)) keys.add(wordsOf(one))
      if (first && TELLING.has(called)) for (const literal of literalsIn(first)) say(literal, wordsOf(literal))
    }
    if (ts.isPropertyAssignment(node) && IN_TABLES.has(node.name.getText()) && ts.isStringLiteral(node.initializer)) {
      if (isText(node.initializer.text)) keys.add(node.initializer.text)
    }
    if (ts.isPropertyAssignment(node) && READ.has(node.name.text) && !IN_TABLES.has(node.name.text)) {
      for (const literal of literalsIn(node.initializer)) say(literal, wordsOf(literal))
    }
    if (ts.isArrayLiteralExpression(node)) {
      for (const one of node.elements) if (ts.isStringLiteral(one) && isSentence(one.text)) say(one, one.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
}

for (const entry of readdirSync(SOURCE, { recursive: true, withFileTypes: true })) {
  if (/\.tsx?$/.test(entry.name) && !entry.name.endsWith('.d.ts')) look(join(entry.parentPath, entry.name))
}
console.log(JSON.stringify({ bare, keys: [...keys].sort() }, null, 1))
