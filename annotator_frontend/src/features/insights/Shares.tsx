import { Anchor, Table, Text } from '@mantine/core'
import { Link } from 'react-router'
import { number, percent, t } from '@/shared/i18n'
import { Section } from '@/shared/ui/Section'
import { seconds, when } from '@/shared/ui/words'
import classes from './insights.module.css'
import { gallery, judgedIn } from './links'
import { stageInWords } from './marks'
import type { Figures } from './queries'

interface Part {
  key: string
  name: string
  count: number
  href?: string
}

/** Parts of a whole, side by side. The numbers below say it in words. */
function Bar({ parts }: { parts: readonly Part[] }) {
  return (
    <div className={classes.bar} aria-hidden>
      {parts
        .filter(({ count }) => count)
        .map(({ key, name, count, href }) => {
          const part = { 'data-share': key, style: { flex: count }, title: `${name}: ${number(count)}` }
          return href ? <Link key={key} to={href} tabIndex={-1} {...part} /> : <span key={key} {...part} />
        })}
    </div>
  )
}

function Linked({ href, children }: { href?: string; children: string }) {
  if (!href) {
    return (
      <Text span fz="sm">
        {children}
      </Text>
    )
  }
  return (
    <Anchor component={Link} to={href} fz="sm">
      {children}
    </Anchor>
  )
}

interface AcceptanceProps {
  dataset: string
  rows: Figures['acceptance']
  /** Whether the person may see of which photos something was said. */
  isReviewer: boolean
}

/** What people said of the model's proposals, stage by stage. */
export function Acceptance({ dataset, rows, isReviewer }: AcceptanceProps) {
  const photosOf = (answer: string, row: AcceptanceProps['rows'][number]) =>
    isReviewer ? judgedIn(dataset, answer, row) : undefined
  const answers = [
    ['accept', t('Accepted')],
    ['fix', t('To be corrected')],
    ['not_an_object', t('Not an object')],
    ['unsure', t('Unsure')],
  ] as const
  return (
    <Section
      title={t('Proposals that people accepted')}
      about={t('Of those that they decided, by stage, with a 95% interval.')}
    >
      {rows.length === 0 && <Nothing>{t('Nobody has judged a proposal yet.')}</Nothing>}
      {rows.map(row => (
        <div key={row.since}>
          <Text size="sm" mb={4}>
            <strong>{stageInWords(row.stage)}</strong>
            {': '}
            {row.rate === null ? (
              '–'
            ) : (
              <Linked href={photosOf('accept', row)}>
                {t('{{rate}} ({{low}} to {{high}}), {{seconds}} s each', {
                  rate: percent(row.rate),
                  low: percent(row.rate_low ?? 0),
                  high: percent(row.rate_high ?? 1),
                  seconds: row.seconds_median === null ? '–' : number(row.seconds_median, TENTHS),
                })}
              </Linked>
            )}{' '}
            <Text span size="xs" c="dimmed">
              {t('since {{when}}', { when: when(row.since) })}
            </Text>
          </Text>
          <Bar
            parts={answers.map(([key, name]) => ({
              key,
              name,
              count: row[key],
              href: photosOf(key, row),
            }))}
          />
          <ul className={classes.legend} style={{ marginTop: 6 }}>
            {answers.map(([key, name]) => (
              <li key={key} data-share={key}>
                <span className={classes.swatch} style={{ margin: 0 }} />
                {name}
                <Linked href={photosOf(key, row)}>{number(row[key])}</Linked>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </Section>
  )
}

/** Who made the masks that count. */
export function Origins({ dataset, rows }: { dataset: string; rows: Figures['origins'] }) {
  const names: Record<Figures['origins'][number]['origin'], string> = {
    assisted: t('Clicks and the model'),
    brush: t('Brush'),
    proposed: t('Proposed, and accepted by people'),
    automatic: t('Automatic'),
    imported: t('Imported'),
  }
  const parts = rows.map(({ origin, masks, share }) => ({
    key: origin,
    name: names[origin],
    count: masks,
    share,
    href: gallery(dataset, { origin }),
  }))
  return (
    <Section title={t('How masks were made')} about={t('Of all masks that count.')}>
      {parts.length === 0 ? (
        <Nothing>{t('No masks yet.')}</Nothing>
      ) : (
        <>
          <Bar parts={parts} />
          <Table fz="sm" verticalSpacing={4}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('Origin')}</Table.Th>
                <Table.Th className={classes.number}>{t('Masks')}</Table.Th>
                <Table.Th className={classes.number}>{t('Share')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {parts.map(({ key, name, count, share, href }) => (
                <Table.Tr key={key}>
                  <Table.Td data-share={key}>
                    <span className={classes.swatch} />
                    {name}
                  </Table.Td>
                  <Table.Td className={classes.number}>
                    <Linked href={href}>{number(count)}</Linked>
                  </Table.Td>
                  <Table.Td className={classes.number}>
                    {number(share, { style: 'percent', maximumFractionDigits: 1 })}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </>
      )}
    </Section>
  )
}

/** Work by person: admins see everybody's, others their own. */
export function Work({
  dataset,
  rows,
  isAdmin,
}: {
  dataset: string
  rows: Figures['people']
  isAdmin: boolean
}) {
  return (
    <Section
      title={isAdmin ? t('Work by person') : t('Your work here')}
      about={isAdmin ? t('Annotators and reviewers see only their own.') : undefined}
    >
      {rows.length === 0 ? (
        <Nothing>{t('Nothing yet.')}</Nothing>
      ) : (
        <Table.ScrollContainer minWidth={460} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
          <Table fz="sm" verticalSpacing={4}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('Name')}</Table.Th>
                <Table.Th className={classes.number}>{t('Masks')}</Table.Th>
                <Table.Th ta="right">{t('Seconds per mask')}</Table.Th>
                <Table.Th ta="right">{t('Clicks per mask')}</Table.Th>
                <Table.Th className={classes.number}>{t('Time')}</Table.Th>
                <Table.Th className={classes.number}>{t('Photos')}</Table.Th>
                <Table.Th className={classes.number}>{t('Verdicts')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map(row => (
                <Table.Tr key={row.user}>
                  <Table.Td>{row.username}</Table.Td>
                  <Table.Td className={classes.number}>
                    <Linked href={gallery(dataset, { person: row.user, origin: 'drawn' })}>
                      {number(row.masks)}
                    </Linked>
                  </Table.Td>
                  <Table.Td className={classes.number}>
                    {row.seconds_median === null
                      ? '–'
                      : t('{{seconds}} s', { seconds: number(row.seconds_median, TENTHS) })}
                  </Table.Td>
                  <Table.Td className={classes.number}>
                    {row.clicks_mean === null ? '–' : number(row.clicks_mean, TENTHS)}
                  </Table.Td>
                  <Table.Td className={classes.number}>{seconds(row.seconds)}</Table.Td>
                  <Table.Td className={classes.number}>
                    <Linked href={gallery(dataset, { submitted_by: row.user })}>{number(row.photos)}</Linked>
                  </Table.Td>
                  <Table.Td className={classes.number}>
                    <Linked href={isAdmin ? gallery(dataset, { judged_by: row.user }) : undefined}>
                      {number(row.verdicts)}
                    </Linked>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Section>
  )
}

const TENTHS = { minimumFractionDigits: 1, maximumFractionDigits: 1 }

function Nothing({ children }: { children: string }) {
  return (
    <Text size="sm" c="dimmed">
      {children}
    </Text>
  )
}
