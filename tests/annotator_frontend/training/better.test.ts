import { expect, test } from 'vitest'
import { verdictOn } from '@/features/training/better'

test('a difference counts if its interval leaves out zero; of clicks and the oracle gap less is better', () => {
  const over = { low: 0.01, high: 0.03 }
  expect(verdictOn({ key: 'miou_1', ...over })).toBe('better')
  expect(verdictOn({ key: 'noc90', ...over })).toBe('worse')
  expect(verdictOn({ key: 'oracle_gap', low: -0.03, high: -0.01 })).toBe('better')
  expect(verdictOn({ key: 'miou_5', low: -0.03, high: -0.01 })).toBe('worse')
  expect(verdictOn({ key: 'miou_1', low: -0.01, high: 0.01 })).toBe('unclear')
  expect(verdictOn({ key: 'miou_1', low: null, high: null })).toBe('unclear')
})
