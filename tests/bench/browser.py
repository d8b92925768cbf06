"""The decoder's rows in Chromium: ONNX Runtime Web as the page uses it, WebAssembly with SIMD, with one thread and with two."""

import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

from engine.api import DEFAULT_CHECKPOINT
from engine.inference.onnx_export import export_decoder_onnx
from engine.model.build import build_model
from engine.model.checkpoint import load_checkpoint
from tests.bench.engine import export_published
from tests.bench.table import Table
from tests.system.conftest import ARGUMENTS, chromium

RUNTIME = Path(__file__).parents[2] / "annotator_frontend" / "node_modules" / "onnxruntime-web" / "dist"
RUNS = 12

PAGE = """<!doctype html><script type="module">
import * as ort from '/ort.wasm.min.mjs'
ort.env.wasm.wasmPaths = '/'
window.measure = async (url, threads, runs) => {
  ort.env.wasm.numThreads = threads
  const session = await ort.InferenceSession.create(url, { executionProviders: ['wasm'], graphOptimizationLevel: 'all' })
  const feeds = {}
  for (const input of session.inputMetadata) {
    const many = input.name === 'text_tokens' ? 0 : 2 // a lone click: a point with its padding, and no text
    const shape = input.shape.map(side => (typeof side === 'number' ? side : many))
    const values = new Float32Array(shape.reduce((all, side) => all * side, 1)).map((_, i) => Math.sin(i))
    feeds[input.name] = new ort.Tensor('float32', values, shape)
  }
  feeds.point_labels = new ort.Tensor('float32', new Float32Array([1, -1]), [1, 2])
  feeds.has_mask_input = new ort.Tensor('float32', new Float32Array([0]), [1])
  await session.run(feeds)
  const seconds = []
  for (let i = 0; i < runs; i++) {
    const began = performance.now()
    await session.run(feeds)
    seconds.push((performance.now() - began) / 1000)
  }
  return seconds
}
window.ready = true
</script>"""


class _Isolated(SimpleHTTPRequestHandler):
    """Threads need the isolation headers."""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


def browser_rows(table: Table) -> None:
    torch.manual_seed(0)
    models = [load_checkpoint(DEFAULT_CHECKPOINT), build_model("sam_vit_b")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "index.html").write_text(PAGE)
        for file in ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"):
            (folder / file).symlink_to(RUNTIME / file)
        for model in models:
            export_decoder_onnx(model, folder / f"{model.architecture.name}_ours.onnx")
            export_published(model, folder / f"{model.architecture.name}_published.onnx")
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Isolated, directory=name))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
                for model in models:
                    for threads in (1, 2):
                        seconds = []
                        for which in ("ours", "published"):
                            page = browser.new_page()  # the number of threads is a page's, once for all
                            page.goto(f"http://127.0.0.1:{server.server_port}/")
                            page.wait_for_function("window.ready")
                            url = f"/{model.architecture.name}_{which}.onnx"
                            seconds.append(page.evaluate(f"measure({url!r}, {threads}, {RUNS})"))
                            page.close()
                        table.add(
                            f"a click, Chromium, {threads} thread{'s' * (threads > 1)}, {model.architecture.name}",
                            seconds[0],
                            "published structure",
                            seconds[1],
                            "1.5x" if model is models[1] else "50 ms, painting included",
                        )
                browser.close()
        finally:
            server.shutdown()
