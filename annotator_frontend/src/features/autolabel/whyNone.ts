import { t } from '@/shared/i18n'
import { useIsDetectorAwaited, useThresholds } from './queries'

/** Why the live model has no thresholds yet. */
export function useWhyNone(dataset: string): string {
  const calibration = useThresholds(dataset).data?.calibration
  const isDetectorAwaited = useIsDetectorAwaited(dataset)
  if (calibration) {
    const { waiting, done, failed, skipped } = calibration.counts
    return t('The thresholds are being calibrated for this model: {{done}} of {{all}} test photos.', {
      done: done + failed,
      all: waiting + done + failed + skipped,
    })
  }
  if (isDetectorAwaited)
    return t(
      'The thresholds are calibrated for this model when its detector has been trained, if people have finished test photos by then.',
    )
  return t('The thresholds were not calibrated for this model yet.')
}
