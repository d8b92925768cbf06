import { Button, Group, NumberInput, Select, Stack, Switch, Text, TextInput } from '@mantine/core'
import { useState } from 'react'
import { t, text } from '@/shared/i18n'
import { said } from '@/shared/i18n/said'
import { tellError } from '@/shared/ui/notify'
import { when } from '@/shared/ui/words'
import { type GateRule, type Policy, useGateRule, usePolicy, useSetGateRule, useSetPolicy } from './queries'
import { recipesWith } from './recipes'

/** When it retrains by itself, and when that will be next. */
export function PolicyForm({ dataset }: { dataset: string }) {
  const { data: policy } = usePolicy(dataset)
  const set = useSetPolicy(dataset)
  const [changes, setChanges] = useState<Partial<Policy>>({})
  if (!policy) return null
  const shown = { ...policy, ...changes }
  const number = (name: keyof Policy, label: string, min: number) => (
    <NumberInput
      label={label}
      size="xs"
      w={150}
      min={min}
      allowDecimal={false}
      value={(shown[name] as number | null) ?? ''}
      onChange={value => setChanges({ ...changes, [name]: value === '' ? null : Number(value) })}
    />
  )
  const isChanged = Object.keys(changes).length > 0
  return (
    <Stack gap="xs" component="form" onSubmit={event => event.preventDefault()}>
      <Group justify="space-between">
        <Switch
          label={t('Retrain by itself')}
          checked={policy.enabled ?? false}
          onChange={event =>
            set.mutate(
              {
                enabled: event.currentTarget.checked,
                ...(policy.after_new_masks || policy.crontab ? {} : { after_new_masks: 100 }),
              },
              { onError: tellError },
            )
          }
        />
        <Text size="xs" c="dimmed" data-testid="policy-why" role="status">
          {said(policy.why)} {policy.due_at && t('Next: {{when}}.', { when: when(policy.due_at) })}
        </Text>
      </Group>
      {policy.enabled && (
        <>
          <Group gap="sm" align="flex-end">
            {number('after_new_masks', t('After new masks'), 1)}
            <TextInput
              label={t('Or by a schedule (cron, UTC)')}
              placeholder="0 3 * * *"
              size="xs"
              w={190}
              value={shown.crontab ?? ''}
              onChange={event => setChanges({ ...changes, crontab: event.currentTarget.value })}
            />
            <Select
              label={t('Recipe')}
              size="xs"
              w={150}
              data={recipesWith(policy.recipe ?? 'decoder')}
              value={shown.recipe ?? 'decoder'}
              allowDeselect={false}
              onChange={recipe => recipe && setChanges({ ...changes, recipe })}
            />
          </Group>
          <Group gap="sm" align="flex-end">
            {number('settle_minutes', t('Minutes without a mask'), 0)}
            {number('cooldown_minutes', t('Minutes between runs'), 0)}
            {number('max_runs_per_day', t('Most runs a day'), 1)}
            <Button
              size="xs"
              type="submit"
              disabled={!isChanged}
              loading={set.isPending}
              onClick={() =>
                set.mutate(changes as never, { onError: tellError, onSuccess: () => setChanges({}) })
              }
            >
              {t('Save')}
            </Button>
          </Group>
          <Text size="xs" c="dimmed">
            {t('New masks are those on training photos that people drew or accepted.')}
          </Text>
        </>
      )}
    </Stack>
  )
}

const RULE: readonly (readonly [Exclude<keyof GateRule, 'only_brushed'>, string, number])[] = [
  ['images_wanted', text('Test photos wanted'), 1],
  ['masks_wanted', text('Test masks wanted'), 1],
  ['min_gain', text('Least gain in mIoU'), 0.005],
  ['confidence', text('Share of resamples'), 0.05],
  ['max_loss', text('Most loss of an mIoU'), 0.005],
  ['max_more_clicks', text('Most more clicks to 90%'), 0.1],
  ['max_more_gap', text('Most more oracle gap'), 0.005],
  ['max_loss_by_size', text('Most loss of a size'), 0.005],
  ['size_masks_wanted', text('Masks to judge a size'), 1],
]

/** What a candidate has to show to go live. */
export function GateRuleForm({ dataset }: { dataset: string }) {
  const { data: rule } = useGateRule(dataset)
  const set = useSetGateRule(dataset)
  const [changes, setChanges] = useState<Partial<GateRule>>({})
  if (!rule) return null
  return (
    <Stack gap="xs" component="form" onSubmit={event => event.preventDefault()}>
      <Text size="sm" c="dimmed">
        {t('A candidate goes live where its gain is sure enough and no figure falls by more than this.')}
      </Text>
      <Group gap="sm" align="flex-end">
        {RULE.map(([name, label, step]) => (
          <NumberInput
            key={name}
            label={t(label)}
            size="xs"
            w={160}
            step={step}
            min={name === 'min_gain' ? -1 : 0}
            allowDecimal={step < 1}
            value={changes[name] ?? rule[name]}
            onChange={value => setChanges({ ...changes, [name]: Number(value) })}
          />
        ))}
        <Switch
          label={t('Judge by brushed masks alone')}
          size="xs"
          checked={changes.only_brushed ?? rule.only_brushed}
          onChange={event => setChanges({ ...changes, only_brushed: event.currentTarget.checked })}
        />
        <Button
          size="xs"
          type="submit"
          disabled={Object.keys(changes).length === 0}
          loading={set.isPending}
          onClick={() => set.mutate(changes, { onError: tellError, onSuccess: () => setChanges({}) })}
        >
          {t('Save')}
        </Button>
      </Group>
    </Stack>
  )
}
