import { createElement } from 'react'
import { afterEach, expect, test, vi } from 'vitest'
import { DatasetSummary } from '@/features/datasets/DatasetSummary'
import type { Dataset } from '@/features/datasets/queries'
import { SHAPES } from '@/features/insights/marks'
import { CheckpointHistory } from '@/features/training/CheckpointHistory'
import { FiguresBeside } from '@/features/training/FiguresBeside'
import { Trouble } from '@/features/training/Outcome'
import type { TrainingRun } from '@/features/training/queries'
import { speak } from '@/shared/i18n'
import { rendered } from '../shared/rendered'

// There is no document here.
globalThis.document ??= { documentElement: {} } as Document
afterEach(() => vi.unstubAllGlobals())

test('only a run that is over has failed; one that was interrupted says that it is tried again', () => {
  const said = (state: TrainingRun['state'], error = 'The disk is full.') =>
    rendered(createElement(Trouble, { run: { state, error } }))
  expect(said('failed')).toMatch(/This training failed.*The disk is full\./s)
  for (const state of ['waiting', 'training', 'evaluating'] as const)
    expect(said(state)).toMatch(/It was interrupted, and is tried again.*The disk is full\./s)
  for (const html of [said('done'), said('cancelled'), said('failed', '')]) expect(html).not.toContain('Alert')
})

test('each model’s figures say on how many photos they were measured, and no line joins what different photos gave', async () => {
  const checkpoint = (name: string, test: object | null) => ({
    ...{ id: name, name, created_at: '2026-11-23T12:00:00Z', deployments: [], is_before: false },
    scores: test && { test },
  })
  const all = [
    checkpoint('older', { images: 1, miou: { '1': 0.525, '3': 0.61 } }),
    checkpoint('newer', { images: 24, miou: { '1': 0.5 } }),
    checkpoint('unmeasured', null),
  ]
  const shown = () =>
    rendered(createElement(CheckpointHistory, { dataset: 'd', isAdmin: false }), [[['dataset', 'd', 'checkpoints'], all]])
  const rowOf = (name: string) =>
    [...shown().split('<tr').find(row => row.includes(name))!.matchAll(/>([^<>]+)</g)].map(([, cell]) => cell)
  expect(rowOf('older').slice(1, 5)).toEqual(['0.525', '0.610', '–', '1 photo'])
  expect(rowOf('newer').slice(1, 5)).toEqual(['0.500', '–', '–', '24 photos'])
  expect(rowOf('unmeasured').slice(1, 5)).toEqual(['–', '–', '–', '–'])
  expect(shown()).not.toContain('<svg')
  vi.stubGlobal('document', { documentElement: {} })
  await speak('de')
  expect(rowOf('newer')[4]).toBe('24 Fotos')
  await speak('en')
})

test('what is better or worse is said in words and shapes, and less is better of clicks', () => {
  const figure = (key: string, low: number | null, high: number | null) =>
    ({ key, name: key, size: 'all', objects: 9, live: 1, candidate: 1, difference: low ?? 1, low, high }) as never
  const on = { figures: [figure('noc90', -2, -1), figure('miou_1', -0.2, -0.1), figure('miou_3', -0.1, 0.1)] }
  const html = rendered(createElement(FiguresBeside, { left: 'a', right: 'b', on: { ...on, photos: 3, left_out: 0 } as never }))
  const rows = html.split('<tr').filter(row => row.includes('data-verdict'))
  expect(rows.map(row => row.match(/title="(\w+)"/)?.[1])).toEqual(['better', 'worse', undefined])
  const single = { figures: [figure('miou_1', null, null)], photos: 1, left_out: 0 } as never
  const ofOne = rendered(createElement(FiguresBeside, { left: 'a', right: 'b', on: single }))
  expect(ofOne).toContain('[–]')
  expect(ofOne).not.toContain('title="better"')
  expect(ofOne).not.toContain('NaN')
})

test('no two kinds of marks have the same shape', () => {
  expect(new Set(Object.values(SHAPES)).size).toBe(Object.keys(SHAPES).length)
})

test('a number that leads somewhere says what it counts', () => {
  const test = { test_images_annotated: 1, test_images_wanted: 4 }
  const counts = { images: 9, annotated: 1, automatic: 2, masks_human: 1234, masks_automatic: 5, ...test }
  const html = rendered(createElement(DatasetSummary, { dataset: { counts } as Dataset }))
  const links = [...html.matchAll(/<a [^>]*aria-label="([^"]*)"/g)].map(([, name]) => name)
  expect(links).toEqual(['Masks by people: 1,234', 'Automatic masks: 5', 'Test photos for the gate: 1 of 4'])
})

test('what the gate wants before it decides is said under the figures, in German too', async () => {
  await speak('de')
  const counts = { images: 9, test_missing: 'It wants photos of 1 more scene: those of one group count as one.' }
  const html = rendered(createElement(DatasetSummary, { dataset: { counts } as Dataset }))
  expect(html).toContain('Es braucht Fotos von noch 1 Szene: die einer Gruppe zählen als eines.')
  await speak('en')
})
