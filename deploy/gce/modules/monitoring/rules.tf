# An alert policy for each alert of the rule files. The recorded series that they ask for are written by Prometheus, which
# evaluates the same files. Every selector gets the cluster's name: a project can hold several deployments.

locals {
  groups = flatten([for text in values(var.rules) : yamldecode(text)["groups"]])
  alerts = merge([
    for group in local.groups : {
      for rule in group["rules"] : rule["alert"] => merge({ "for" = "0s" }, rule, { group = group["name"] })
      # Whether the address answers is asked by the uptime check: blackbox_exporter does not run here.
      if contains(keys(rule), "alert") && group["name"] != "til-address"
    }
  ]...)

  unit_seconds = { s = 1, m = 60, h = 3600 }
  severities   = { page = "CRITICAL", ticket = "WARNING" }

  # Names of series, with and without a selector after them.
  series = "\\b((?:til|model|model_state|vllm|node|DCGM)[_:][A-Za-z0-9_:]+|up)"
  scoped = {
    for name, rule in local.alerts : name => replace(
      replace(rule["expr"], "/${local.series}\\{/", "$1{cluster=\"${var.name}\", "),
      "/${local.series}([^A-Za-z0-9_:{]|$)/", "$1{cluster=\"${var.name}\"}$2",
    )
  }
}

resource "google_monitoring_alert_policy" "rules" {
  for_each              = local.alerts
  display_name          = "${var.name}: ${each.key}"
  combiner              = "OR"
  notification_channels = local.channels
  severity              = local.severities[each.value["labels"]["severity"]]

  conditions {
    display_name = "${each.value["group"]}/${each.key}"

    condition_prometheus_query_language {
      query      = local.scoped[each.key]
      rule_group = each.value["group"]
      alert_rule = each.key
      # A series may not have been written yet when the policy is made.
      disable_metric_validation = true
      evaluation_interval       = "30s"

      duration = format("%ds", (
        tonumber(trimsuffix(each.value["for"], substr(each.value["for"], -1, 1))) *
        local.unit_seconds[substr(each.value["for"], -1, 1)]
      ))
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${replace(each.value["annotations"]["description"], "/{{[^}]*}}/", "…")} What to do: ${each.value["annotations"]["runbook"]}"
  }
}
