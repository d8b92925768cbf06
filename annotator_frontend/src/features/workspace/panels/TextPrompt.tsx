import { Loader, TextInput } from '@mantine/core'
import { type RefObject, useEffect, useRef, useState } from 'react'
import { useStore } from 'zustand'
import { bytesOf } from '@/shared/api/client'
import { t } from '@/shared/i18n'
import { announce } from '@/shared/ui/announce'
import type { Editor } from '../editor/editor'
import { abortWithObject } from '../editor/sameObject'
import classes from './panels.module.css'

const LONGEST = 200

interface TextPromptProps {
  editor: Editor
  checkpoint: string
  canPrompt: boolean
  fieldRef: RefObject<HTMLInputElement | null>
  onError: (message: string) => void
}

/** Words as a prompt, alone or with clicks. Only where the checkpoint has learnt to read. */
export function TextPrompt({ editor, checkpoint, canPrompt, fieldRef, onError }: TextPromptProps) {
  const said = useStore(
    editor.store,
    state => state.prompts.find(prompt => prompt.kind === 'text')?.words ?? '',
  )
  const photo = useStore(editor.store, state => state.photo)
  const [words, setWords] = useState(said)
  const [isReading, setReading] = useState(false)
  const asking = useRef<AbortController>(null)

  // An object that is finished, undo, another photo: the field says what is in work.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another photo, too
  useEffect(() => {
    asking.current?.abort()
    setReading(false)
    setWords(said)
  }, [said, photo])

  const take = async () => {
    const wanted = words.trim().replace(/\s+/g, ' ')
    fieldRef.current?.blur()
    if (!wanted) {
      const index = editor.state.prompts.findIndex(({ kind }) => kind === 'text')
      if (index >= 0) editor.changePrompt(index, null)
      return
    }
    asking.current?.abort()
    const abort = new AbortController()
    asking.current = abort
    const stop = abortWithObject(editor, abort)
    setReading(true)
    try {
      const address = `/api/checkpoints/${checkpoint}/text/?words=${encodeURIComponent(wanted)}`
      const onWait = () => announce(t('The words are being read'))
      const response = await bytesOf(address, { signal: abort.signal, onWait })
      const { token } = (await response.json()) as { token: number[] }
      if (!abort.signal.aborted) editor.addPrompt({ kind: 'text', words: wanted, token })
    } catch (error) {
      if (!abort.signal.aborted) onError(error instanceof Error ? error.message : String(error))
    } finally {
      stop()
      if (asking.current === abort) setReading(false)
    }
  }

  return (
    <form
      className={classes.words}
      onSubmit={event => {
        event.preventDefault()
        void take()
      }}
    >
      <TextInput
        ref={fieldRef}
        size="xs"
        aria-label={t('What to look for, in words')}
        placeholder={t('What to look for, in words')}
        value={words}
        maxLength={LONGEST}
        disabled={!canPrompt}
        rightSection={isReading ? <Loader size={12} /> : null}
        onChange={event => setWords(event.currentTarget.value)}
        onKeyDown={event => {
          if (event.key !== 'Escape') return
          setWords(said)
          event.currentTarget.blur()
        }}
      />
    </form>
  )
}
