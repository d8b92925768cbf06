import { Button, Group, NumberInput, Stack, Text, Textarea, TextInput } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { t } from '@/shared/i18n'
import { tell, tellError } from '@/shared/ui/notify'
import { Section } from '@/shared/ui/Section'
import { type Dataset, useUpdateDataset } from './queries'

/** What an admin may change about a dataset; the others read it. */
export function DatasetSettings({ dataset }: { dataset: Dataset }) {
  const isAdmin = dataset.role === 'admin'
  const update = useUpdateDataset(dataset.id)
  const [changed, setChanged] = useState<Partial<Dataset>>({})
  const now = { ...dataset, ...changed }
  const change = (fields: Partial<Dataset>) => setChanged(before => ({ ...before, ...fields }))
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    update.mutate(changed, {
      onSuccess: () => {
        setChanged({})
        tell(t('Settings saved.'))
      },
      onError: tellError,
    })
  }
  return (
    <Section
      title={t('Settings')}
      about={isAdmin ? undefined : t('Only admins of this dataset can change these.')}
    >
      <form onSubmit={onSubmit}>
        <Stack gap="md" maw={720}>
          <TextInput
            label={t('Name')}
            value={now.name}
            onChange={event => change({ name: event.currentTarget.value })}
            readOnly={!isAdmin}
            maxLength={120}
            required
          />
          <Textarea
            label={t('Guidelines')}
            description={t('What annotators see at a key press: what to outline, and what to leave.')}
            value={now.guidelines}
            onChange={event => change({ guidelines: event.currentTarget.value })}
            readOnly={!isAdmin}
            autosize
            minRows={6}
          />
          <div>
            <Text size="sm" mb="xs">
              {t(
                'The gate decides whether a new model is better by test photos that people labelled. It waits for this many:',
              )}
            </Text>
            <Group>
              <NumberInput
                label={t('Test photos')}
                value={now.test_images_wanted}
                onChange={value => change({ test_images_wanted: Number(value) })}
                readOnly={!isAdmin}
                min={1}
                w={140}
              />
              <NumberInput
                label={t('Test masks')}
                value={now.test_masks_wanted}
                onChange={value => change({ test_masks_wanted: Number(value) })}
                readOnly={!isAdmin}
                min={1}
                w={140}
              />
            </Group>
          </div>
          {isAdmin && (
            <Group>
              <Button type="submit" loading={update.isPending} disabled={!Object.keys(changed).length}>
                {t('Save')}
              </Button>
            </Group>
          )}
        </Stack>
      </form>
    </Section>
  )
}
