import { text } from '@/shared/i18n'

/** What people retrain by, each with what it is for. Those for trials of the loop itself are left to the API. */
export const RECIPES: readonly (readonly [recipe: string, purpose: string])[] = [
  ['decoder', text('The usual one: the decoder alone learns, on the embeddings that there are.')],
  [
    'finetune',
    text(
      'For photos unlike those that the model knows: the encoder learns, too. It takes longer, and all photos are embedded anew.',
    ),
  ],
]

/** Their names, and whichever was set by the API. */
export function recipesWith(current: string): string[] {
  const names = RECIPES.map(([name]) => name)
  return names.includes(current) ? names : [...names, current]
}
