import { Anchor, Table } from '@mantine/core'
import { Link } from 'react-router'
import { t } from '@/shared/i18n'
import { jobNames } from '@/shared/ui/jobs'
import { Section } from '@/shared/ui/Section'
import { photosInWords } from '@/shared/ui/words'
import { useSkips } from './queries'

/** Why people passed photos over. Each number leads to the photos. */
export function Skips({ dataset }: { dataset: string }) {
  const { data: skips } = useSkips(dataset)
  if (!skips?.length) return null
  const names = jobNames()
  return (
    <Section title={t('Skipped photos')} about={t('Who skips a photo says why, and is not given it again.')}>
      <Table verticalSpacing={4} fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('Reason')}</Table.Th>
            <Table.Th>{t('Work')}</Table.Th>
            <Table.Th ta="right">{t('People')}</Table.Th>
            <Table.Th ta="right">{t('Photos')}</Table.Th>
            <Table.Th ta="right" title={t('Nobody has labelled them since.')}>
              {t('Still to do')}
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {skips.map(({ job, reason, photos, left, people }) => (
            <Table.Tr key={`${job} ${reason}`}>
              <Table.Td style={{ overflowWrap: 'anywhere' }}>{t(reason)}</Table.Td>
              <Table.Td>{names[job]}</Table.Td>
              <Table.Td ta="right">{people}</Table.Td>
              <Table.Td ta="right">
                <Anchor
                  component={Link}
                  to={`/datasets/${dataset}?${new URLSearchParams({ skipped: reason, skipped_in: job })}`}
                  size="sm"
                >
                  {photosInWords(photos)}
                </Anchor>
              </Table.Td>
              <Table.Td ta="right">{left}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Section>
  )
}
