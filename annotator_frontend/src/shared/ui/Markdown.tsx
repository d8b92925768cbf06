import { Anchor, Blockquote, Code, Divider, List, Table, Text, Title } from '@mantine/core'
import { lexer, type Token, type Tokens } from 'marked'
import { Fragment, type ReactNode } from 'react'

/**
 * Markdown that other people wrote. What the lexer finds becomes React elements one by one: HTML in it is shown as the text
 * that it is, links lead nowhere but to the web, and pictures are links, because to fetch one tells its server who reads.
 */
export function Markdown({ text }: { text: string }) {
  return <div>{blocks(lexer(text, { gfm: true, breaks: true }))}</div>
}

function blocks(tokens: readonly Token[]): ReactNode {
  return tokens.map((token, index) => {
    const key = `${index} ${token.type}`
    return <Fragment key={key}>{block(token)}</Fragment>
  })
}

function block(token: Token): ReactNode {
  switch (token.type) {
    case 'space':
    case 'def':
      return null
    case 'heading':
      // The dialog's own title is the first.
      return (
        <Title
          order={Math.min(token.depth + 1, 6) as 2 | 3 | 4 | 5 | 6}
          size={token.depth < 2 ? 'h4' : 'h5'}
          mt="md"
          mb={4}
        >
          {inline(token.tokens)}
        </Title>
      )
    case 'paragraph':
      return (
        <Text component="p" my="xs">
          {inline(token.tokens)}
        </Text>
      )
    case 'list':
      return (
        <List type={token.ordered ? 'ordered' : 'unordered'} withPadding my="xs">
          {(token as Tokens.List).items.map((item, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: read only, and never reordered
            <List.Item key={index}>{blocks(item.tokens)}</List.Item>
          ))}
        </List>
      )
    case 'blockquote':
      return (
        <Blockquote my="xs" p="sm">
          {blocks(token.tokens ?? [])}
        </Blockquote>
      )
    case 'code':
      return (
        <Code block my="xs">
          {token.text}
        </Code>
      )
    case 'hr':
      return <Divider my="md" />
    case 'table':
      return <TableOf table={token as Tokens.Table} />
    case 'text':
      return token.tokens ? inline(token.tokens) : unescaped(token.text)
    default:
      return token.raw
  }
}

function TableOf({ table }: { table: Tokens.Table }) {
  return (
    <Table my="xs">
      <Table.Thead>
        <Table.Tr>
          {table.header.map(cell => (
            <Table.Th key={cell.text}>{inline(cell.tokens)}</Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {table.rows.map((row, number) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: read only, and never reordered
          <Table.Tr key={number}>
            {row.map((cell, column) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: read only, and never reordered
              <Table.Td key={column}>{inline(cell.tokens)}</Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}

function inline(tokens: readonly Token[] = []): ReactNode {
  return tokens.map((token, index) => {
    const key = `${index} ${token.type}`
    return <Fragment key={key}>{piece(token)}</Fragment>
  })
}

function piece(token: Token): ReactNode {
  switch (token.type) {
    case 'strong':
      return <strong>{inline(token.tokens)}</strong>
    case 'em':
      return <em>{inline(token.tokens)}</em>
    case 'del':
      return <del>{inline(token.tokens)}</del>
    case 'codespan':
      return <Code>{token.text}</Code>
    case 'br':
      return <br />
    case 'checkbox':
      return token.checked ? '☑ ' : '☐ '
    case 'link':
    case 'image': {
      const words = token.tokens?.length ? inline(token.tokens) : token.text
      if (!isWeb(token.href)) return words
      return (
        <Anchor href={token.href} target="_blank" rel="noopener noreferrer">
          {words}
        </Anchor>
      )
    }
    case 'text':
      return token.tokens ? inline(token.tokens) : unescaped(token.text)
    case 'escape':
      return token.text
    default:
      return token.raw
  }
}

/** Neither scripts nor files nor what the page itself could be told by an address. */
export function isWeb(address: string): boolean {
  try {
    return ['http:', 'https:', 'mailto:'].includes(new URL(address).protocol)
  } catch {
    return false
  }
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", nbsp: '\u00a0' }

function unescaped(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (_, name: string) => ENTITIES[name]!)
}
