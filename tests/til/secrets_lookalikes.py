"""What only looks like a secret, or stands where one often does."""

from __future__ import annotations

from tests.til.secrets_corpus import ALNUM, DIGITS, DRAW, HEX, SEED, Case, draw, encoded
from tests.til.secrets_keys import key


def hashes() -> list[Case]:
    """Random-looking text that opens nothing: digests, ids, images, lock files, minified code."""
    DRAW.seed(SEED + 3)
    sha1, sha256, md5 = draw(HEX, 40), draw(HEX, 64), draw(HEX, 32)
    sri = "sha512-" + draw(ALNUM + "+/", 86) + "=="
    uuid = "-".join(draw(HEX, n) for n in (8, 4, 4, 4, 12))
    image = "data:image/png;base64,iVBORw0KGgo" + draw(ALNUM + "+/", 4000) + "=="
    certificate = key("CERTIFICATE")
    public = key("PUBLIC KEY")
    lines = [
        (f"commit {sha1}", "log.txt"),
        (f'Revert "x"\n\nThis reverts commit {sha1}.', "log.txt"),
        (f"index {sha1[:9]}..{sha1[9:18]} 100644\n--- a/secrets.py\n+++ b/secrets.py", "a.diff"),
        (f'"integrity": "{sri}",', "package-lock.json"),
        (
            f'"node_modules/password-prompt": {{"version": "1.1.3", "integrity": "{sri}"}}',
            "package-lock.json",
        ),
        (f'"resolved": "https://registry.example/get-secret/-/get-secret-2.0.1.tgz#{sha1}"', "yarn.lock"),
        (f"cryptography==42.0.5 --hash=sha256:{sha256}", "requirements.txt"),
        (f'checksum = "{sha256}"', "Cargo.lock"),
        (f"golang.org/x/crypto v0.21.0 h1:{draw(ALNUM + '+/', 43)}=", "go.sum"),
        (f"FROM python:3.12@sha256:{sha256}", "Dockerfile"),
        (f'image: "app@sha256:{sha256}"', "k8s.yaml"),
        (f"docker://alpine:3.19@sha256:{sha256}", "ci.yml"),
        (f'ETag: "{md5}"', "a.http"),
        (f'"id": "{uuid}"', "a.json"),
        (f"api_key_id = '{uuid}'", "a.py"),
        (f"request_token: {uuid}", "a.yml"),
        (f'<img src="{image}">', "a.html"),
        (f"background: url({image})", "a.css"),
        (f"//# sourceMappingURL=data:application/json;base64,{encoded({'version': 3})}", "a.js"),
        (certificate, "ca.pem"),
        (public, "id.pub"),
        (f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{draw(ALNUM, 43)} ada@example", "authorized_keys"),
        (f"uses: actions/checkout@{sha1}", "ci.yml"),
        (f'"aws": "{sha1}"', "versions.json"),
        (f"1700000000:{sha1}", "log.txt"),
        (f"{draw(DIGITS, 10)}:{draw(HEX, 35)}", "log.txt"),
        (f"assert digest == '{sha256}'", "test_a.py"),
        (f"{md5}-us-east-1.example.com", "hosts.txt"),
        ("0x" + draw(HEX, 64), "a.sol"),
        (draw(DIGITS, 60), "pi.txt"),
        (draw("0123456789ABCDEF", 600), "dump.hex"),
        ("!function(e,t){var n=e.token,r=t.secret;n=r?n.key:e.password;return n&&r(n)}(a1,b2);", "a.min.js"),
        ("const t=e.password,n=e.apiKey;o.secret=i.secretKey||r2d2c3;fetch(`${u}?token=${t}`)", "a.min.js"),
        ("var a={password:e,secret:t,apiKey:n,token:function(){return r}};", "a.min.js"),
        ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/", "a.py"),
        (f'fingerprint = "SHA256:{draw(ALNUM + "+/", 43)}"', "a.py"),
        (f'CSRF_COOKIE = "csrftoken"\nnonce="{draw(ALNUM, 8)}"', "a.html"),
        ("com.example.MyVeryLongAuthenticationHandler.create.someQuiteLongMethodNameForThis", "A.java"),
        ('class="sk-spinner sk-spinner-three-bounce-and-more" id="sk-admin-navigation-panel-2"', "a.html"),
        (
            "laughs_and_highs_and_lows_of_the_day_and_the_night = weighs_more_than_it_should_have_at_first",
            "a.c",
        ),
    ]
    return [Case(text, path) for text, path in lines]


def code() -> list[Case]:
    """Names of secrets beside what is none: calls, references, types, words of a user interface."""
    lines = [
        "password = get_password()",
        "password = getpass.getpass('Password: ')",
        "password = os.environ['DB_PASSWORD']",
        'password = os.getenv("DB_PASSWORD", "")',
        "const password = process.env.DB_PASSWORD;",
        "self.password = password",
        "password = config.db.password2",
        "password: str | None = None",
        'password = "${DB_PASSWORD}"',
        'password = "{{ vault_db_password }}"',
        'password = "%(password)s" % values',
        'password = f"{prefix}-{uuid4()}"',
        'password = "<your-password>"',
        'password = "YOUR_PASSWORD_HERE"',
        'password = "********"',
        'password = "xxxxxxxxxxxx"',
        'password = "changeme"',
        'password = "change-me-2024"',
        'password = "password"',
        'password = ""',
        'password = "example-password-1"',
        'PASSWORD_FIELD = "password-input-2"',
        'PASSWORD_REGEX = "^(?=.*[A-Z])(?=.*\\d).{8,}$"',
        'password_hash = hash_password("abc", rounds=12)',
        'PASSWORD_HASHER = "django.contrib.auth.hashers.Argon2PasswordHasher"',
        'passwordPlaceholder: "Enter your password"',
        '"password": "Passwort",',
        '"password": "비밀번호1",',
        '"password": "required|string|min:8",',
        '"password": "Password must have 8 characters",',
        'type="password" name="password" id="password1"',
        "password: { type: String, required: true, minlength: 8 }",
        'expect(form.password).toBe("password")',
        'User.create(password="test", token="test-token")',
        'login(username="ada", password="testpassword")',
        "api_key = settings.API_KEY",
        'api_key = "your-api-key"',
        'api_key = "<YOUR_API_KEY>"',
        'api_key = "test_api_key"',
        'api_key: str = Field(alias="X-API-Key")',
        'API_KEY_HEADER = "X-API-Key"',
        'api_key_url = "https://a.example/keys/1234"',
        "apiKey: process.env.API_KEY ?? 'none',",
        'secret_name = "prod/db/credentials-v2"',
        'secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-Ab12Cd"',
        'secret = client.get_secret_value(SecretId="db1")["SecretString"]',
        'secret = "op://vault/database/password1"',
        'secretName: "my-app-tls-2"',
        'secret: "projects/p1/secrets/db/versions/3"',
        'secret_file = "/run/secrets/db_password1"',
        'secret = "/run/secrets/db_password1"',
        "token = lexer.next_token()",
        'token = "<|endoftext|>"',
        'token = "deadbeef"',
        'token_type = "Bearer"',
        'next_token = response["NextToken"]',
        'tokenizer = "gpt2-medium-v1"',
        'keyboard_key = "ctrl+shift+F12"',
        'primary_key = "customer_id_2"',
        'cache_key = "user:42:profile:v3"',
        "Authorization: Bearer <token>",
        "Authorization: Bearer $TOKEN",
        'headers = {"Authorization": f"Bearer {token}"}',
        '"Authorization": "Bearer YOUR_ACCESS_TOKEN"',
        "# basic functionality and bearer authentication_middleware_for_requests",
        'url = "postgres://postgres:postgres@localhost:5432/test"',
        'url = "postgres://user:password@localhost/db"',
        'url = "https://user:${TOKEN}@git.example/a.git"',
        'url = f"https://{user}:{password}@git.example"',
        'url = "http://localhost:8080/@scope/package@1.2.3"',
        "git clone git@git.example:ada/engine.git",
        "AKIA is the prefix of a key's id",
        "GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}",
        'token = "ghp_' + "x" * 36 + '"',
        'key = "sk_live_' + "x" * 24 + '"',
        'if pem.startswith("-----BEGIN PRI' + 'VATE KEY-----"):\n    return load_pem_private_key(pem)',
        'BEGIN = "-----BEGIN RSA PRI' + 'VATE KEY-----"\nEND = "-----END RSA PRI' + 'VATE KEY-----"',
        "-----BEGIN PRI" + "VATE KEY-----\n...\n-----END PRI" + "VATE KEY-----",
    ]
    config = [
        ("password: changeme", "values.yaml"),
        ("password:", "a.yml"),
        ("password: !vault |", "a.yml"),
        ("password: *default_password", "a.yml"),
        ("password: {{ .Values.db.password }}", "a.yml"),
        ("POSTGRES_PASSWORD=postgres", ".env.example"),
        ("POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?}", "docker-compose.yml"),
        ("API_KEY=", ".env.example"),
        ("API_KEY=your_api_key_here", ".env.example"),
        ("API_KEY=<paste it here>", ".env.example"),
        ("SECRET_KEY=changeme-in-production", ".env.example"),
        ("secretKeyRef:\n  name: db\n  key: password", "k8s.yaml"),
        ("secret: db-credentials-v2", "k8s.yaml"),
        ("secret: ENC[AES256_GCM,data:Zm9vYmFy]", "sops.yaml"),
        ("jwt-secret: vault:secret/data/app#jwt1", "a.yml"),
        ("The password must be at least 12 characters; a token: 3 parts.", "README.md"),
        ("fix: password reset token expires after 24h (#1234)", "notes.md"),
        ("Secret: see https://wiki.example/x1", "notes.md"),
        ("password: string # 8-64", "openapi.yaml"),
        ("password = ${env.DB_PASSWORD}", "a.properties"),
        ("pwd: /home/ada/project2", "a.yml"),
        ("token: 12345678", "a.yml"),
    ]
    return [Case(line) for line in lines] + [Case(text, path) for text, path in config]


def translations() -> list[Case]:
    """The word "password" in other languages, and references to where a secret is kept."""
    words = ("wachtwoord", "katasandi", "salasana", "palavrapasse", "Passwort", "lozinka", "jelszo", "heslo")
    lines = [
        (f'"{name}": "{word}",', path)
        for word in words
        for name, path in (
            ("password", "locales/nl.json"),
            ("forgot_password", "src/i18n/de.json"),
            ("passwordLabel", "lang/fi.ts"),
        )
    ]
    lines += [
        ('"token": "color.brand.primary.500",', "tokens.json"),
        ('"token": "space.inset.squish.large.1200",', "tokens.json"),
        ("secret: kv/data/prod/db#password", "app.yml"),
        ("password: secret/data/app/prod#db_password", "values.yaml"),
        ("api_key: projects/app/secrets/key#latest", "app.yml"),
    ]
    return [Case(text, path) for text, path in lines]


def negatives() -> list[Case]:
    """Every case without a secret."""
    return hashes() + code()
