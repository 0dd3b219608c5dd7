"""Secrets of many kinds. All are drawn when the tests run: none is real, and none is written out."""

from __future__ import annotations

import base64
import json
import random
import string
from dataclasses import dataclass
from typing import Any

from tests.stack.processes import day
from til.request import TilRequest

SEED = 20250424
DRAW = random.Random(SEED)
HEX, LOWER, UPPER, DIGITS = "0123456789abcdef", string.ascii_lowercase, string.ascii_uppercase, string.digits
ALNUM, LOWNUM, UPNUM = LOWER + UPPER + DIGITS, LOWER + DIGITS, UPPER + DIGITS
URLSAFE = ALNUM + "_-"


@dataclass(frozen=True)
class Case:
    """A text in a file. `secret` (None: there is none) must be gone afterwards, and be reported as `kind`."""

    text: str
    path: str = "src/app.py"
    kind: str | None = None
    secret: str | None = None


def draw(alphabet: str, length: int) -> str:
    """Random characters, with a capital, a small letter and a digit where the alphabet has them."""
    while True:
        drawn = "".join(DRAW.choices(alphabet, k=length))
        kinds = [set(kind) & set(alphabet) for kind in (LOWER, UPPER, DIGITS)]
        if length < 6 or all(not kind or kind & set(drawn) for kind in kinds):
            return drawn


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def found(kind: str, text: str, secret: str, path: str = "src/app.py") -> Case:
    """A case whose text has `{}` where the secret stands."""
    return Case(text.replace("{}", secret), path, kind, secret)


def tokens() -> list[Case]:
    """Secrets with a form of their own."""
    DRAW.seed(SEED)
    jwt = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded({'sub': '42', 'exp': 1})}.{draw(URLSAFE, 43)}"
    slack_hook = f"https://hooks.slack{''}.com/services/T{draw(UPNUM, 8)}/B{draw(UPNUM, 8)}/{draw(ALNUM, 24)}"
    aws_id, aws_secret = "AK" + "IA" + draw(UPNUM, 16), draw(ALNUM + "+/", 40)
    openai = "sk-" + draw(ALNUM, 20) + "T3Blbk" + "FJ" + draw(ALNUM, 20)
    return [
        found("aws_access_key", "client = boto3.client('s3', aws_access_key_id='{}')", aws_id),
        found("aws_access_key", "export AWS_ACCESS_KEY_ID={}", "AS" + "IA" + draw(UPNUM, 16), "run.sh"),
        found("aws_access_key", 'log.info("using\\n{}")', aws_id),
        found(
            "aws_secret_key",
            f"[default]\naws_access_key_id={aws_id}\naws_secret_access_key={{}}\n",
            aws_secret,
        ),
        found("aws_secret_key", f"{aws_id}\n{{}}\n", aws_secret),
        found("aws_secret_key", f'new Credentials("{aws_id}", "{{}}")', aws_secret, "App.java"),
        found("aws_secret_key", 'AWS_SECRET_ACCESS_KEY: "{}"', aws_secret, "ci.yml"),
        found("aws_secret_key", "aws_secret_access_key = {}", aws_secret, ".aws/credentials"),
        found("github_token", 'headers = {"Authorization": "token {}"}', "gh" + "p_" + draw(ALNUM, 36)),
        found(
            "github_token", "git clone https://{}@github.example/ada/engine", "gh" + "o_" + draw(ALNUM, 36)
        ),
        found("github_token", "GH={}", "github_" + "pat_" + draw(ALNUM, 22) + "_" + draw(ALNUM, 59), "x.sh"),
        found("gitlab_token", "curl -H 'PRIVATE-TOKEN: {}'", "glp" + "at-" + draw(URLSAFE, 19) + "a"),
        found("gitlab_token", "trigger: {}", "glp" + "tt-" + draw(HEX, 40), ".gitlab-ci.yml"),
        found("gitlab_token", "register {}", "GR13" + "48941" + draw(URLSAFE, 19) + "b", "notes.md"),
        found(
            "slack_token",
            "slack = WebClient('{}')",
            f"xo{'xb'}-{draw(DIGITS, 12)}-{draw(DIGITS, 12)}-{draw(ALNUM, 24)}",
        ),
        found("slack_token", "post('{}')", slack_hook),
        found("slack_token", "app: {}", f"xa{'pp'}-1-{draw(UPNUM, 11)}-{draw(DIGITS, 13)}-{draw(HEX, 64)}"),
        found("stripe_key", "stripe.api_key = '{}'", "sk_" + "live_" + draw(ALNUM, 24)),
        found("stripe_key", "Stripe('{}')", "rk_" + "live_" + draw(ALNUM, 99)),
        found("stripe_key", "Stripe('{}')", "sk_" + "test_" + draw(ALNUM, 24)),
        found("jwt", "const session = '{}';", jwt, "web/a.ts"),
        found("jwt", "fix: expired {} is refused", jwt),
        found("twilio_key", "Client('AC', '{}')", "S" + "K" + draw(HEX, 32)),
        found("sendgrid_key", "mail.key = '{}'", "S" + "G." + draw(URLSAFE, 22) + "." + draw(URLSAFE, 43)),
        found("openai_key", "OpenAI('{}')", openai),
        found(
            "openai_key",
            "OpenAI('{}')",
            "sk-" + "proj-" + draw(URLSAFE, 74) + "T3Blbk" + "FJ" + draw(URLSAFE, 74),
        ),
        found("anthropic_key", "Anthropic('{}')", "sk-" + "ant-api03-" + draw(URLSAFE, 93) + "AA"),
        found("npm_token", "//registry.example/:_authToken={}", "np" + "m_" + draw(ALNUM, 36), ".npmrc"),
        found(
            "npm_token",
            "//registry.example/:_authToken={}",
            "-".join(draw(HEX, n) for n in (8, 4, 4, 4, 12)),
            ".npmrc",
        ),
        found("npm_token", "publish with {}", "np" + "m_" + draw(ALNUM, 36)),
        found("pypi_token", "twine upload -p {}", "py" + "pi-AgEIcHlwaS5vcmc" + draw(URLSAFE, 90), "x.sh"),
        found("azure_storage_key", "AccountName=a;AccountKey={};Suffix", draw(ALNUM + "+/", 86) + "=="),
        found(
            "discord_token",
            "bot.run('{}')",
            "M" + draw(ALNUM, 23) + "." + draw(URLSAFE, 6) + "." + draw(URLSAFE, 27),
        ),
        found("telegram_token", "Bot('{}')", draw("123456789", 9) + ":AA" + draw(ALNUM, 33)),
        found("mailchimp_key", "mc('{}')", draw(HEX, 32) + "-us" + "12"),
        found("square_secret", "square('{}')", "sq0" + "csp-" + draw(URLSAFE, 43)),
        found("google_api_key", "maps?key={}", "AI" + "za" + draw(URLSAFE, 35)),
        found("google_api_key", "oauth = '{}'", "GOC" + "SPX-" + draw(URLSAFE, 28)),
        found("huggingface_token", "login('{}')", "h" + "f_" + draw(LOWER + UPPER, 34)),
        found("digitalocean_token", "doctl -t {}", "do" + "p_v1_" + draw(HEX, 64)),
        found("vault_token", "X-Vault: {}", "hv" + "s." + draw(URLSAFE, 90)),
        found(
            "webhook_secret",
            "Webhook('{}')",
            "wh" + "sec_" + base64.b64encode(draw(ALNUM, 32).encode()).decode(),
        ),
        found("til_key", "Bearer {}", "ti" + "l_" + draw(URLSAFE, 43)),
        found("private_key", "{}", "AGE-SECRET" + "-KEY-1" + draw(UPNUM, 58), "key.txt"),
        found("authorization", 'curl -H "Authorization: Bearer {}" https://a.example', draw(ALNUM, 40)),
        found(
            "authorization", '"Authorization": "Basic {}"', base64.b64encode(b"ada:Lovelace1815!").decode()
        ),
        found("basic_auth", 'create_engine("postgresql://ada:{}@db.example:5432/a")', draw(ALNUM, 16)),
        found("basic_auth", "REDIS_URL=redis://:{}@cache:6379/0", draw(ALNUM, 20), ".env"),
        found("basic_auth", "amqp://app:{}@mq/%2F", "p%40ss-" + draw(ALNUM, 5), "a.yml"),
        found("basic_auth", "origin https://ada:{}@git.example/a.git (fetch)", draw(LOWNUM, 32)),
        found("basic_auth", "mongodb+srv://app:{}@c0.example/?w=1", draw(ALNUM, 9) + "!"),
    ]


def named() -> list[Case]:
    """Secrets that only their name gives away."""
    DRAW.seed(SEED + 1)
    strong, hexed = draw(ALNUM + "!%+=?@^~-", 18), draw(HEX, 32)
    return [
        found("password", 'password = "{}"', "hunter2"),
        found("password", "DB_PASSWORD = '{}'", strong),
        found("password", "password: str = '{}'", "Tr0ub4dor&3"),
        found("password", "passwd := `{}`", draw(ALNUM, 10), "main.go"),
        found("password", '{"user": "ada", "password": "{}"}', draw(ALNUM, 12), "config.json"),
        found("password", "const config = { dbPass: 1, password: '{}' }", "correcthorse", "a.js"),
        found("password", "spring.datasource.password={}", draw(ALNUM, 14), "a.properties"),
        found("password", "  POSTGRES_PASSWORD: {}", draw(ALNUM, 14), "docker-compose.yml"),
        found("password", "PGPASSWORD={} psql -h db", draw(ALNUM, 14), "dump.sh"),
        found("password", "<password>{}</password>", "s3cr3tPa55", "settings.xml"),
        found("password", '"Server=db;User Id=sa;Password={};Encrypt=true"', "Str0ng!Passw0rd", "A.cs"),
        found("password", "if (password === '{}') {", draw(ALNUM, 9), "a.js"),
        found("password", '    "password" => "{}",', draw(ALNUM, 9) + "#", "db.php"),
        found("password", 'os.environ["ADMIN_PASSWORD"] = "{}"', draw(ALNUM, 12)),
        found("password", 'body = "{\\"password\\": \\"{}\\"}"', draw(ALNUM, 12)),
        found("password", "machine a login b\npassword: {}", draw(ALNUM, 12), "notes.txt"),
        found("password", "+    passphrase: '{}',", draw(ALNUM, 16), "a.ts"),
        found("api_key", "api_key = '{}'", hexed),
        found("api_key", "OPENWEATHER_API_KEY={}", hexed, ".env"),
        found("api_key", "const apiKey = '{}';", draw(ALNUM, 32), "a.js"),
        found("api_key", "X-Api-Key: {}", draw(ALNUM, 40), "a.http"),
        found("api_key", "https://a.example/v1?api_key={}&q=1", draw(ALNUM, 32), "README.md"),
        found("api_key", "encryption: {accessKey: '{}'}", draw(ALNUM, 20), "a.js"),
        found("secret", "client_secret: '{}'", draw(ALNUM + "~._-", 40), "a.rb"),
        found(
            "secret",
            "SECRET_KEY = '{}'",
            "django-insecure-" + draw(LOWNUM + "!@#$%^&*(-_=+)", 50).replace("(", "x").replace("'", "y"),
        ),
        found("secret", "secret_key_base: {}", draw(HEX, 128), "secrets.yml"),
        found("secret", "JWT_SECRET={}", draw(ALNUM, 24), ".env.production"),
        found("secret", 'secret = "{}"', draw(ALNUM + "+/", 43) + "=", "main.tf"),
        found("token", 'access_token = "{}"', draw(ALNUM, 40)),
        found("token", "BOT_TOKEN={}", draw(URLSAFE, 32), ".env"),
        found("token", "refreshToken: '{}'", draw(URLSAFE, 48), "a.ts"),
    ]


def missed() -> list[Case]:
    """What the rules can't tell from other text: it counts against the recall."""
    return [
        found("password", 'password = "{}"', "correct horse battery staple"),
        found("secret", "sign(payload, '{}')", draw(ALNUM, 32)),
        found("password", "mysql -u root -p{} app", draw(ALNUM, 12), "dump.sh"),
    ]


def positives() -> list[Case]:
    """Every case with a secret."""
    return tokens() + named() + missed()


def request_of(
    text: str, path: str = "src/app.py", patch: str = "", message: str = "m", **more: Any
) -> TilRequest:
    """A request with one file and one patch."""
    file = {"filepath": path, "latest_code": text, "patches": [{"commit_message": message, "patch": patch}]}
    return TilRequest.model_validate(day(files=[file], **more))


def as_diff(text: str) -> str:
    """The text as it is added by a commit."""
    return "@@ -0,0 +1,9 @@\n" + "".join(f"+{line}\n" for line in text.split("\n"))


def whole(request: TilRequest) -> str:
    """Every text of a request, one after the other."""
    return "\n".join(_strings(request.model_dump(mode="json")))


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for name, inner in value.items() for text in [name, *_strings(inner)]]
    return [text for inner in value for text in _strings(inner)] if isinstance(value, list) else [str(value)]
