import { createElement } from 'react'
import { expect, test } from 'vitest'
import { PeoplePanel } from '@/features/people/PeoplePanel'
import { rendered } from '../shared/rendered'

const members = [
  { user: 'ada', username: 'ada', role: 'admin', jobs: null },
  { user: 'bob', username: 'bob', role: 'annotator', jobs: null },
]
const shown = (user: object | null, isAdmin: boolean) =>
  rendered(createElement(PeoplePanel, { dataset: 'd', isAdmin }), [
    [['session'], user],
    [['dataset', 'd', 'members'], members],
  ])

test('whoever is in a dataset can leave it from its page; only admins can remove others', () => {
  const [annotator, admin] = [shown({ id: 'bob' }, false), shown({ id: 'ada' }, true)]
  for (const html of [annotator, admin]) expect(html).toContain('>Leave this dataset<')
  expect(annotator).not.toContain('Remove')
  expect(admin).toContain('Remove bob')
})
