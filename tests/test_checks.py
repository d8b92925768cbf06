"""The checks themselves can fail."""

import pytest

from tests.checks import wrong_imports


@pytest.mark.parametrize(
    ("file", "path", "is_wrong"),
    [
        ("features/queue/a.ts", "../workspace/editor/editor", True),
        ("features/queue/a.ts", "@/features/workspace/editor/editor", True),
        ("features/queue/a.ts", "@/app/theme", True),
        ("features/queue/deep/a.ts", "../../workspace/x", True),
        ("shared/ui/a.tsx", "@/features/queue/useQueue", True),
        ("shared/ui/a.tsx", "../../app/theme", True),
        ("features/queue/deep/a.ts", "../b", False),
        ("features/queue/a.ts", "@/shared/api/client", False),
        ("shared/ui/a.tsx", "../api/client", False),
        ("app/a.tsx", "@/features/queue/useQueue", False),
        ("features/queue/a.ts", "react", False),
    ],
)
def test_an_import_of_the_page_that_points_the_wrong_way_is_found(tmp_path, file, path, is_wrong):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(f"import {{ x }} from '{path}'\n")
    assert bool(wrong_imports(tmp_path)) == is_wrong
