import type { Schemas } from '@/shared/api/client'
import { fixed, t } from '@/shared/i18n'

type Decided = Exclude<Schemas['TrainingRunJson']['decision'], ''>

/** What the gate said, as a badge. */
export function decisionInWords(decision: Decided): { color: string; children: string } {
  return {
    promoted: { color: 'teal', children: t('Promoted') },
    refused: { color: 'red', children: t('Refused') },
    insufficient_evidence: { color: 'yellow', children: t('Insufficient evidence') },
  }[decision]
}

/** What two figures differ by. */
export function signed(value: number): string {
  return fixed(value, 3, { signDisplay: 'exceptZero' })
}

/** The interval of what two figures differ by. */
export function intervalInWords(low: number | null, high: number | null): string {
  return low === null || high === null ? '[–]' : `[${signed(low)}, ${signed(high)}]`
}

/** The gate's figures, by their keys. */
export function figureNames(): Record<string, string> {
  return {
    miou_1: t('mIoU after 1 click'),
    miou_3: t('mIoU after 3 clicks'),
    miou_5: t('mIoU after 5 clicks'),
    noc90: t('Clicks to 90% IoU'),
    oracle_gap: t('Oracle gap'),
  }
}
