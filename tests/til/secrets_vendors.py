"""Tokens as their vendors document them. Drawn when the tests run: none is real, and none is written out."""

from __future__ import annotations

from tests.til.secrets_corpus import (
    ALNUM,
    DIGITS,
    DRAW,
    HEX,
    LOWER,
    LOWNUM,
    SEED,
    UPNUM,
    UPPER,
    Case,
    draw,
    found,
)

MIXED_HEX = "0123456789ABCDEF"


def vendors() -> list[Case]:
    """One token of each vendor, as it stands in a program."""
    DRAW.seed(SEED + 4)
    made = {
        "sentry_user_token": "sntryu_" + draw(HEX, 64),
        "shopify_access_token": "shp" + "at_" + draw(HEX, 32),
        "shopify_shared_secret": "shp" + "ss_" + draw(HEX, 32),
        "databricks_api_token": "da" + "pi" + draw(HEX, 32),
        "dockerhub_personal_access_token": "dckr" + "_pat_" + draw(ALNUM, 27),
        "grafana_service_account_token": "gl" + "sa_" + draw(ALNUM, 32) + "_" + draw(HEX, 8),
        "grafana_cloud_api_token": "gl" + "c_" + draw(ALNUM, 60),
        "atlassian_api_token": "ATATT3" + "xFfGF0" + draw(ALNUM, 180) + "=" + draw(MIXED_HEX, 8),
        "postman_api_token": "PM" + "AK-" + draw(HEX, 24) + "-" + draw(HEX, 34),
        "rubygems_api_token": "rubygems" + "_" + draw(HEX, 48),
        "hashicorp_tf_api_token": draw(ALNUM, 14) + ".atlas" + "v1." + draw(ALNUM, 67),
        "doppler_api_token": "dp." + "pt." + draw(ALNUM, 43),
        "linear_api_key": "lin" + "_api_" + draw(ALNUM, 40),
        "notion_token": "nt" + "n_" + draw(ALNUM, 46),
        "figma_personal_access_token": "fig" + "d_" + draw(ALNUM, 40),
        "supabase_management_token": "sb" + "p_" + draw(HEX, 40),
        "planetscale_api_token": "pscale" + "_tkn_" + draw(ALNUM, 43),
        "planetscale_password": "pscale" + "_pw_" + draw(ALNUM, 43),
        "new_relic_key": "NR" + "AK-" + draw(UPPER, 27),
        "openrouter_api_key": "sk-" + "or-v1-" + draw(HEX, 64),
        "groq_api_key": "gs" + "k_" + draw(ALNUM, 52),
        "replicate_api_token": "r" + "8_" + draw(ALNUM, 37),
        "google_oauth_token": "ya" + "29." + draw(ALNUM, 120),
        "azure_ad_client_secret": draw(ALNUM, 3) + "8Q" + "~" + draw(ALNUM, 34),
        "pulumi_api_token": "pu" + "l-" + draw(HEX, 40),
        "webhook_url": "https://discord" + ".com/api/webhooks/" + draw(DIGITS, 18) + "/" + draw(ALNUM, 68),
        "perplexity_api_key": "pp" + "lx-" + draw(ALNUM, 48),
        "nvidia_api_key": "nv" + "api-" + draw(ALNUM, 64),
        "pinecone_api_key": "pc" + "sk_" + draw(ALNUM, 5) + "_" + draw(ALNUM, 63),
        "xai_api_key": "x" + "ai-" + draw(ALNUM, 80),
        "neon_api_key": "na" + "pi_" + draw(ALNUM, 64),
        "readme_api_token": "rd" + "me_" + draw(LOWNUM, 70),
        "posthog_personal_api_key": "ph" + "x_" + draw(ALNUM, 43),
        "prefect_api_token": "pn" + "u_" + draw(ALNUM, 36),
        "shippo_api_token": "shippo" + "_live_" + draw(HEX, 40),
        "sendinblue_api_token": "xkey" + "sib-" + draw(HEX, 64) + "-" + draw(ALNUM, 16),
        "clojars_api_token": "CLO" + "JARS_" + draw(LOWNUM, 60),
        "duffel_api_token": "duffel" + "_live_" + draw(ALNUM, 43),
        "dynatrace_api_token": "dt0" + "c01." + draw(UPNUM, 24) + "." + draw(UPNUM, 64),
        "infracost_api_token": "ic" + "o-" + draw(ALNUM, 32),
        "octopus_deploy_api_key": "AP" + "I-" + draw(UPNUM, 26),
        "easypost_api_token": "EZ" + "AK" + draw(ALNUM, 54),
        "frameio_api_token": "fi" + "o-u-" + draw(ALNUM, 64),
        "mailersend_api_token": "ml" + "sn." + draw(ALNUM, 60),
        "scalingo_api_token": "tk-" + "us-" + draw(ALNUM, 48),
        "langchain_langsmith_personal_access_token": "lsv2" + "_pt_" + draw(HEX, 32) + "_" + draw(HEX, 10),
        "circleci_personal_token": "CCI" + "PAT_" + draw(ALNUM, 22) + "_" + draw(LOWNUM, 40),
        "huggingface_organization_api_token": "api" + "_org_" + draw(LOWER, 34),
    }
    return [found(kind, 'client = connect("{}")', token) for kind, token in made.items()]
