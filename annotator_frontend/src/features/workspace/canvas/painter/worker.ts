/** The painter, away from the page's main thread. */

import { Painter } from './painter'
import type { FromPainter, ToPainter } from './protocol'

const scope = self as unknown as Worker
const painter = new Painter((message: FromPainter, transfer = []) => scope.postMessage(message, transfer))

self.onmessage = ({ data }: MessageEvent<ToPainter>) => painter.hear(data)
