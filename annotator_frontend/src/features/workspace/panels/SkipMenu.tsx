import { Button, Group, Menu, Modal, TextInput } from '@mantine/core'
import { useState } from 'react'
import { t, text } from '@/shared/i18n'

/** Stored in English whatever the page's language, so that they can be counted. */
const REASONS = [
  text('Blurred or too dark'),
  text('Too difficult'),
  text('Should not be in this dataset'),
  text('Not for me'),
] as const
const LONGEST = 255

interface SkipMenuProps {
  isOpen: boolean
  onOpen: (isOpen: boolean) => void
  isDisabled: boolean
  onSkip: (reason: string) => void
}

/** Give a photo up, with a reason: one of the usual, or in own words. */
export function SkipMenu({ isOpen, onOpen, isDisabled, onSkip }: SkipMenuProps) {
  const [isWriting, setWriting] = useState(false)
  const [words, setWords] = useState('')
  const send = () => {
    setWriting(false)
    setWords('')
    onSkip(words.trim())
  }
  return (
    <>
      <Menu
        position="bottom-end"
        opened={isOpen && !isDisabled}
        onChange={onOpen}
        disabled={isDisabled}
        withInitialFocusPlaceholder={false} // a menu holds nothing but its items
      >
        <Menu.Target>
          <Button size="xs" variant="default" disabled={isDisabled}>
            {t('Skip')}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{t('Why?')}</Menu.Label>
          {REASONS.map(reason => (
            <Menu.Item key={reason} onClick={() => onSkip(reason)}>
              {t(reason)}
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Menu.Item onClick={() => setWriting(true)}>{t('Another reason…')}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal
        opened={isWriting}
        onClose={() => setWriting(false)}
        title={t('Why is this photo skipped?')}
        centered
      >
        <form
          onSubmit={event => {
            event.preventDefault()
            if (words.trim()) send()
          }}
        >
          <TextInput
            aria-label={t('Reason')}
            value={words}
            maxLength={LONGEST}
            onChange={event => setWords(event.currentTarget.value)}
            data-autofocus
          />
          <Group justify="flex-end" mt="md">
            <Button type="submit" disabled={!words.trim()}>
              {t('Skip the photo')}
            </Button>
          </Group>
        </form>
      </Modal>
    </>
  )
}
