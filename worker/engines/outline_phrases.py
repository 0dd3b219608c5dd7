"""The sentences of the outline engine, in each language. `{...}` is filled with facts of the commits."""

from __future__ import annotations

from jobs.request import Language

PHRASES: dict[Language, dict[str, str]] = {
    "ko": {
        "title": "{repo}: {subject}",
        "learned": "{subject}",
        "concept_names": "{path}에 새로 정의된 이름: {names}",
        "concept_kind": "{kind} 파일 {files}개를 다루었습니다.",
        "why_body": "{body}",
        "why_none": "커밋 메시지에 이유가 적혀 있지 않습니다: {subject}",
        "how": "{path}: 추가 {added}줄, 삭제 {removed}줄",
        "problem": "{subject}",
        "problem_none": "문제 해결로 표시된 커밋은 없습니다. 가장 크게 바뀐 파일은 {path}입니다.",
        "reflection": "커밋 {commits}개로 파일 {files}개를 고쳤습니다 (추가 {added}줄, 삭제 {removed}줄).",
        "untested": "테스트 파일은 바뀌지 않았습니다. {path}의 변경을 확인할 테스트를 살펴보세요.",
        "tested": "테스트 파일도 함께 바뀌었습니다: {path}",
    },
    "en": {
        "title": "{repo}: {subject}",
        "learned": "{subject}",
        "concept_names": "Newly defined in {path}: {names}",
        "concept_kind": "The work was in {kind}, in {files} file(s).",
        "why_body": "{body}",
        "why_none": "The commit message gives no reason: {subject}",
        "how": "{path}: {added} lines added, {removed} removed",
        "problem": "{subject}",
        "problem_none": "No commit is marked as a fix. The file that changed most is {path}.",
        "reflection": "{commits} commit(s) changed {files} file(s): {added} lines added, {removed} removed.",
        "untested": "No test file was changed: look for a test that covers {path}.",
        "tested": "Tests were changed along with the code: {path}",
    },
    "ja": {
        "title": "{repo}: {subject}",
        "learned": "{subject}",
        "concept_names": "{path} で新しく定義された名前: {names}",
        "concept_kind": "{kind} のファイル {files} 個を扱いました。",
        "why_body": "{body}",
        "why_none": "コミットメッセージに理由は書かれていません: {subject}",
        "how": "{path}: {added} 行追加、{removed} 行削除",
        "problem": "{subject}",
        "problem_none": "修正と示されたコミットはありません。最も大きく変わったファイルは {path} です。",
        "reflection": "{commits} 個のコミットで {files} 個のファイルを変更しました"
        "({added} 行追加、{removed} 行削除)。",
        "untested": "テストは変更されていません。{path} を確かめるテストを見直してください。",
        "tested": "テストも一緒に変更されました: {path}",
    },
    "zh": {
        "title": "{repo}: {subject}",
        "learned": "{subject}",
        "concept_names": "{path} 中新定义的名称: {names}",
        "concept_kind": "涉及 {kind} 的 {files} 个文件。",
        "why_body": "{body}",
        "why_none": "提交信息没有说明原因: {subject}",
        "how": "{path}: 新增 {added} 行, 删除 {removed} 行",
        "problem": "{subject}",
        "problem_none": "没有标记为修复的提交。改动最大的文件是 {path}。",
        "reflection": "{commits} 个提交修改了 {files} 个文件: 新增 {added} 行, 删除 {removed} 行。",
        "untested": "没有修改测试文件。请查看覆盖 {path} 的测试。",
        "tested": "测试也一并修改了: {path}",
    },
}
