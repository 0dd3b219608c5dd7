# One alert policy for each alert of the rule files. Prometheus evaluates the same files and writes the recorded series
# that the alerts query. Each selector is limited to this deployment's cluster label: a project can have several.

locals {
  groups = flatten([for text in values(var.rules) : yamldecode(text)["groups"]])
  alerts = merge([
    for group in local.groups : {
      for rule in group["rules"] : rule["alert"] => merge({ "for" = "0s" }, rule, { group = group["name"] })
      # Alerts of blackbox_exporter, which does not run here: the uptime check replaces them.
      if contains(keys(rule), "alert") && group["name"] != "til-address"
    }
  ]...)

  unit_seconds = { s = 1, m = 60, h = 3600 }
  severities   = { page = "CRITICAL", ticket = "WARNING" }

  # Metric names; a `{` may follow.
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
      # The series may not exist yet when the policy is created.
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
