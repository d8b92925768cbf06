import { Button, Group, Modal, NumberInput, Radio, Stack } from '@mantine/core'
import { useState } from 'react'
import { t } from '@/shared/i18n'
import { tellError } from '@/shared/ui/notify'
import { usePolicy, useRetrain } from './queries'
import { RECIPES, recipesWith } from './recipes'

interface RetrainProps {
  dataset: string
  onClose: () => void
}

export function RetrainDialog(props: RetrainProps) {
  return (
    <Modal opened onClose={props.onClose} title={t('Retrain')} centered>
      <RetrainForm {...props} />
    </Modal>
  )
}

/** By which recipe, which is the policy's unless another is chosen, and by which lots. */
export function RetrainForm({ dataset, onClose }: RetrainProps) {
  const policy = usePolicy(dataset).data
  const retrain = useRetrain(dataset)
  const [chosen, setChosen] = useState<string | null>(null)
  const [seed, setSeed] = useState(0)
  if (!policy) return null
  const usual = policy.recipe ?? 'decoder'
  const recipe = chosen ?? usual
  return (
    <Stack>
      <Radio.Group label={t('Recipe')} value={recipe} onChange={setChosen}>
        <Stack gap="xs" mt="xs">
          {recipesWith(usual).map(name => (
            <Radio key={name} value={name} label={name} description={describe(name)} />
          ))}
        </Stack>
      </Radio.Group>
      <NumberInput
        label={t('Seed')}
        description={t('The same masks, recipe and seed make the same model.')}
        w={150}
        min={0}
        max={2 ** 31 - 1}
        allowDecimal={false}
        value={seed}
        onChange={value => setSeed(Number(value) || 0)}
      />
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>
          {t('Not now')}
        </Button>
        <Button
          loading={retrain.isPending}
          onClick={() => retrain.mutate({ recipe, seed }, { onSuccess: onClose, onError: tellError })}
        >
          {t('Retrain')}
        </Button>
      </Group>
    </Stack>
  )
}

function describe(name: string): string | undefined {
  const purpose = RECIPES.find(([recipe]) => recipe === name)?.[1]
  return purpose && t(purpose)
}
