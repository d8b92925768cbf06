import { Button, Group, Kbd, Text } from '@mantine/core'
import { useStore } from 'zustand'
import { t, text } from '@/shared/i18n'
import type { Editor } from '../editor/editor'
import type { Fault } from '../editor/fault'
import { chordsOf, type OwnKeys } from '../keymap'
import { chordInWords } from '../keys'
import classes from './panels.module.css'
import { Told } from './Told'

const WORDS: Record<Fault['kind'], string> = {
  ignored: text('The model did not follow this click.'),
  forgot: text('With this click the model forgot an earlier one.'),
  wrecked: text('This click wrecked the mask: {{percent}}% of it is as it was.'),
}

interface FaultNoticeProps {
  editor: Editor
  own: OwnKeys
  onTakeBack: () => void
}

/** A click that nobody can have meant so: said, and taken back with one key. */
export function FaultNotice({ editor, own, onTakeBack }: FaultNoticeProps) {
  const [chord] = chordsOf('take back', own)
  const fault = useStore(editor.store, state => state.fault)
  return (
    <Told>
      {fault && (
        <Group gap="sm" wrap="nowrap" className={classes.fault}>
          <Text size="sm">{t(WORDS[fault.kind], { percent: Math.round(100 * fault.iou) })}</Text>
          <Button
            size="compact-sm"
            variant="default"
            onClick={onTakeBack}
            rightSection={chord && <Kbd size="xs">{chordInWords(chord)}</Kbd>}
          >
            {t('Take it back')}
          </Button>
        </Group>
      )}
    </Told>
  )
}
