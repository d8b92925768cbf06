import { notifications } from '@mantine/notifications'

export function tell(message: string): void {
  notifications.show({ message })
}

/** A refusal, in the server's words. */
export function tellError(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  notifications.show({ id: message, message, color: 'red', autoClose: 8000 })
}
