import { createTheme } from '@mantine/core'
import { t } from '@/shared/i18n'

export const theme = createTheme({
  primaryColor: 'teal',
  primaryShade: 9,
  defaultRadius: 'md',
  respectReducedMotion: true,
  fontFamily: 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif',
  headings: { fontWeight: '650' },
  // Asked for each time a dialog is drawn: by then there is a language.
  components: { Modal: { defaultProps: () => ({ closeButtonProps: { 'aria-label': t('Close') } }) } },
  colors: {
    // Cooler and darker than the library's, so that photos keep their colours.
    dark: [
      '#d5dae3',
      '#b3bac7',
      '#8d96a6',
      '#5f6a7d',
      '#3a4556',
      '#2a3342',
      '#1d2430',
      '#141a24',
      '#10151d',
      '#0b0f15',
    ],
  },
})
