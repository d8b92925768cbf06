import { Box, Group, Paper, Stack, Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'

interface SectionProps {
  title: string
  /** One sentence on what this is for. */
  about?: string
  action?: ReactNode
  children?: ReactNode
}

/** A titled card. */
export function Section({ title, about, action, children }: SectionProps) {
  return (
    <Paper component="section" aria-label={title} p="lg" withBorder>
      <Stack gap="md">
        <Group justify="space-between" align="flex-start" wrap="nowrap">
          <div>
            <Title order={2} size="h4">
              {title}
            </Title>
            {about && (
              <Text size="sm" c="dimmed">
                {about}
              </Text>
            )}
          </div>
          {action && <Box style={{ flex: 'none' }}>{action}</Box>}
        </Group>
        {children}
      </Stack>
    </Paper>
  )
}
