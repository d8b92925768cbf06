import type { Bitmask } from '@/shared/geometry/bitmask'
import type { Prompt } from '@/shared/geometry/modelFrame'
import type { Box, Size } from '@/shared/geometry/points'
import type { RowRuns } from '@/shared/geometry/rowRuns'
import type { Correcting } from './correcting'

/** Side of the mask logits: four times the embedding's grid. */
export function logitsSide(embeddingShape: readonly number[]): number {
  return 4 * embeddingShape[1]!
}

/** What the decoder needs to know of a photo before its first click. */
export interface PhotoForDecoder {
  photo: string
  /** The lease under which it is worked on: what the server decodes for. */
  assignment: string
  size: Size
  inputSide: number
  embeddingShape: number[]
  /** float16, raw. */
  embedding: ArrayBuffer
  decoderHash: string
}

/** One of the masks that answer a prompt. */
export interface Candidate {
  /** Which of the three ambiguity masks; null: the single mask. */
  index: 0 | 1 | 2 | null
  predictedIou: number
  stability: number
  logits: Float32Array
  mask: Bitmask
  /** What the mask has of each row, found where it was made. */
  runs?: RowRuns
  /** The part of the photo that the model looked at; null: all of it. */
  region: Box | null
}

export type ToWorker =
  | { kind: 'load'; decoderHash: string; model: ArrayBuffer; threads: number }
  | { kind: 'probe'; model: ArrayBuffer; threads: number }
  | { kind: 'photo'; photo: PhotoForDecoder }
  | { kind: 'forget'; photo: string }
  /** No photo needs this decoder any more. */
  | { kind: 'release'; decoderHash: string }
  /** A part of a photo, as if it were all of it, until `whole`. */
  | { kind: 'closer'; photo: string; region: Box; part: Omit<PhotoForDecoder, 'assignment'> }
  | { kind: 'whole'; photo: string }
  /** What a click would give; left out when anything else is waiting. */
  | { kind: 'preview'; id: number; photo: string; prompt: Prompt; isCloser: boolean }
  | {
      kind: 'prompt'
      photo: string
      revision: number
      prompts: readonly Prompt[]
      /** Logits, or a mask that logits are to be made of. */
      fedBack: Float32Array | Bitmask | null
      /** What is fed back is a mask that the prompts correct. */
      correcting: Correcting | null
      /** To be answered on the part of the photo that is looked at closer. */
      isCloser: boolean
    }

export type FromWorker =
  | { kind: 'previewed'; id: number; candidates: Candidate[]; edges: Float32Array }
  | { kind: 'loaded'; decoderHash: string; threads: number }
  | { kind: 'probed'; milliseconds: number }
  | { kind: 'answer'; photo: string; revision: number; candidates: Candidate[]; milliseconds: number }
  | { kind: 'failed'; photo: string; revision: number; message: string }
  /** Of a prompt for a photo that the worker does not have, or not its decoder. */
  | { kind: 'not there'; photo: string; revision: number }
  | { kind: 'not loaded'; decoderHash: string; message: string }
