import { Button } from '@mantine/core'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { t } from '@/shared/i18n'
import { type Chosen, StartDialog } from './StartDialog'

/** Has the photos labelled that somebody has chosen. */
export function LabelChosen({ dataset, chosen }: { dataset: string; chosen: Chosen }) {
  const navigate = useNavigate()
  const [isStarting, setIsStarting] = useState(false)
  return (
    <>
      <Button size="compact-xs" variant="subtle" onClick={() => setIsStarting(true)}>
        {t('Label these automatically')}
      </Button>
      {isStarting && (
        <StartDialog
          dataset={dataset}
          chosen={chosen}
          onClose={() => setIsStarting(false)}
          onStarted={() => navigate(`/datasets/${dataset}/loop`)}
        />
      )}
    </>
  )
}
