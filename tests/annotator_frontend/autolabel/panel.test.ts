import { createElement } from 'react'
import { afterEach, expect, test } from 'vitest'
import { AutolabelPanel } from '@/features/autolabel/AutolabelPanel'
import type { AutolabelRun } from '@/features/autolabel/queries'
import { LabelChosen } from '@/features/autolabel/LabelChosen'
import { Pictures, selectionOf, Which } from '@/features/autolabel/StartDialog'
import { Gallery } from '@/features/gallery/Gallery'
import { speak } from '@/shared/i18n'
import { rendered } from '../shared/rendered'

// There is no document here.
globalThis.document ??= { documentElement: {} } as Document
afterEach(() => speak('en'))

const run = (state: AutolabelRun['state'], id = 0, failed: readonly string[] = []) => ({
  ...{ id: String(id), state, masks: 1, created_at: '2026-11-23T12:00:00Z' },
  failures: failed.map(name => ({ image: name, file_name: name, error: 'no such file' })),
  ...{ counts: { waiting: 0, done: 1, failed: failed.length, skipped: 0 }, postponed: null, photos_per_minute: null, seconds_left: null },
})

test('a run that waits for a fault of the server says so, and what the fault is', async () => {
  const shown = (photos: number) => {
    const counts = { waiting: photos, done: 1, failed: 0, skipped: 0 }
    const run = { id: '1', state: 'running', masks: 1, failures: [], created_at: '2026-11-23T12:00:00Z', counts }
    const postponed = photos ? { photos, error: 'no space left' } : null
    return rendered(createElement(AutolabelPanel, { dataset: 'd', isAdmin: false }), [
      [['dataset', 'd', 'autolabel-runs'], [{ ...run, postponed }]],
    ])
  }
  expect(shown(2)).toContain('2 photos are tried again in some minutes, because of a fault of the server: no space left')
  expect(shown(1)).toContain('1 photo is tried again')
  expect(shown(0)).not.toContain('fault of the server')
  await speak('de')
  expect(shown(2)).toContain('2 Fotos werden in einigen Minuten noch einmal versucht')
})

test('a calibration shows how far it is, can be cancelled, and says which fault its photos wait for and which failed', () => {
  const calibration = {
    ...run('running', 7, ['broken.jpg']),
    ...{ counts: { waiting: 2, done: 1, failed: 1, skipped: 0 }, postponed: { photos: 2, error: 'no space left' } },
  }
  const found = { min_predicted_iou: 0.5, min_stability: 0.4, prompts: 'grid', attained: true, wanted_precision: 0.8 }
  const shown = (thresholds: object | null, isAdmin: boolean) =>
    rendered(createElement(AutolabelPanel, { dataset: 'd', isAdmin }), [
      [['dataset', 'd', 'thresholds'], { thresholds, calibration, has_detector: false }],
    ])
  for (const thresholds of [null, found]) {
    expect(shown(thresholds, true).split('being calibrated for this model: 2 of 4 test photos')).toHaveLength(2)
    expect(shown(thresholds, true)).toContain('aria-valuenow="50"')
    expect(shown(thresholds, true)).toContain('because of a fault of the server: no space left')
    expect(shown(thresholds, true)).toContain('broken.jpg')
    expect(shown(thresholds, true)).toContain('Cancel')
    expect(shown(thresholds, false)).not.toContain('Cancel')
  }
})

test('a preview that waits for a fault of the server says so', () => {
  const limits = { min_predicted_iou: 0.5, min_stability: 0.5 }
  const preview = { run: { ...run('running'), postponed: { photos: 3, error: 'no space left' } }, photos: [] } as never
  const html = rendered(createElement(Pictures, { preview, limits }))
  expect(html).toContain('3 photos are tried again in some minutes, because of a fault of the server: no space left')
})

test('a run of few photos a minute says how many, to a tenth', async () => {
  const shown = (rate: number) => {
    const slow = { ...run('running'), counts: { waiting: 9, done: 1, failed: 0, skipped: 0 }, photos_per_minute: rate }
    return rendered(createElement(AutolabelPanel, { dataset: 'd', isAdmin: false }), [
      [['dataset', 'd', 'autolabel-runs'], [slow]],
    ])
  }
  expect(shown(0.42)).toContain('0.4 photos a minute')
  expect(shown(1)).toContain(' 1 photo a minute')
  expect(shown(12.34)).toContain('12 photos a minute')
  await speak('de')
  expect(shown(0.42)).toContain('0,4 Fotos in der Minute')
})

test('the state of an earlier run is said in German', async () => {
  await speak('de')
  const states: AutolabelRun['state'][] = ['running', 'running', 'paused', 'done', 'cancelled']
  const runs = states.map((state, id) => run(state, id))
  const html = rendered(createElement(AutolabelPanel, { dataset: 'd', isAdmin: false }), [
    [['dataset', 'd', 'autolabel-runs'], runs],
  ])
  const said = [...html.matchAll(/>([^<>]*)<\/td><\/tr>/g)].map(([, state]) => state)
  expect(said).toEqual(['läuft', 'angehalten', 'fertig', 'abgebrochen'])
})

test('an earlier run shows what failed, with a way to try it again while no run is on its way', () => {
  const panel = (newest: AutolabelRun['state']) =>
    rendered(createElement(AutolabelPanel, { dataset: 'd', isAdmin: true }), [
      [['dataset', 'd', 'autolabel-runs'], [run(newest), run('done', 1, ['broken.jpg'])]],
    ])
  expect(panel('done')).toContain('broken.jpg')
  expect(panel('done')).toContain('Try those again')
  expect(panel('running')).toContain('broken.jpg')
  expect(panel('running')).not.toContain('Try those again')
})

test('a run that is tried again is the one that can be stopped, though another began later', () => {
  const runs = [run('done'), run('running', 1)]
  const html = rendered(createElement(AutolabelPanel, { dataset: 'd', isAdmin: true }), [
    [['dataset', 'd', 'autolabel-runs'], runs],
  ])
  expect(html).toContain('data-state="running"')
  expect(html).toContain('Pause')
})

test('a preview names the photos that failed', () => {
  const limits = { min_predicted_iou: 0.5, min_stability: 0.5 }
  const preview = { run: run('done', 0, ['broken.jpg']), photos: [] } as never
  const html = rendered(createElement(Pictures, { preview, limits }))
  expect(html).toContain('1 photo failed')
  expect(html).toContain('broken.jpg')
})

test('what the gallery has chosen can be labelled: all of the choice goes along, and not its order', () => {
  let given: Record<string, string> | null = null
  const gallery = (address: string) => {
    given = null
    const withChosen = (choice: Record<string, string>) => {
      given = choice
      return createElement(LabelChosen, { dataset: 'd', chosen: choice })
    }
    return rendered(createElement(Gallery, { dataset: 'd', isReviewer: true, withChosen }), [], address)
  }
  const all = '?origin=automatic&checkpoint=c&confidence_to=0.5&made_from=2026-03-01T00:00:00Z&skipped=dark'
  expect(gallery(`/${all}&sort=newest`)).toContain('Label these automatically')
  expect(selectionOf(given!)).toEqual({ which: 'all', ...Object.fromEntries(new URLSearchParams(all)) })
  expect(gallery('/?sort=newest')).not.toContain('Label these automatically')
})

test('of photos that were chosen elsewhere the dialog says how many it takes, and asks for no name', async () => {
  const which = (isOfGallery: boolean) =>
    rendered(createElement(Which, { selection: { which: 'all' }, photos: 2, isOfGallery, onChange: () => undefined }))
  expect(which(true)).toContain('2 photos of those that were chosen')
  expect(which(true)).not.toContain('In the file name')
  expect(which(false)).toContain('In the file name')
  await speak('de')
  expect(which(true)).toContain('2 Fotos von den gewählten')
})

test('where there are no thresholds the page says what they wait for', async () => {
  const none = { thresholds: null, calibration: null, has_detector: false }
  const calibration = { ...run('running'), counts: { waiting: 7, done: 2, failed: 1, skipped: 0 } }
  const shown = (answer: object, detector: string) =>
    rendered(createElement(AutolabelPanel, { dataset: 'd', isAdmin: true }), [
      [['dataset', 'd', 'thresholds'], answer],
      [['dataset', 'd', 'detector-runs'], [{ state: detector }, { state: 'done' }]],
    ])
  expect(shown(none, 'failed')).toContain('The thresholds were not calibrated for this model yet.')
  expect(shown(none, 'waiting')).toContain('when its detector has been trained')
  expect(shown({ ...none, calibration }, 'training')).toContain('being calibrated for this model: 3 of 10 test photos')
  await speak('de')
  expect(shown(none, 'training')).toContain('sobald sein Detektor trainiert ist')
})
