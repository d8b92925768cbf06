import '@mantine/core/styles.css'
import '@mantine/notifications/styles.css'
import './global.css'
import { createRoot } from 'react-dom/client'
import { InLanguage } from './InLanguage'
import { Providers } from './providers'
import { Routes } from './routes'
import { ignoreStrayDrops } from './strayDrops'

ignoreStrayDrops()

createRoot(document.getElementById('root')!).render(
  <Providers>
    <InLanguage>
      <Routes />
    </InLanguage>
  </Providers>,
)
