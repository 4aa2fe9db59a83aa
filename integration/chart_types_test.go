package integration_test

import (
	"encoding/json"
	"testing"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	kube "sigs.k8s.io/yaml"
)

// TestChartTypes has Kubernetes' own types take each object of theirs: no field
// that they do not know, none of another type.
func TestChartTypes(t *testing.T) {
	t.Parallel()
	for _, values := range []string{smallChart, fullChart} {
		for name, o := range render(t, values) {
			into := kubernetesType(o["apiVersion"], o["kind"])
			if into == nil {
				continue
			}
			b, err := json.Marshal(o)
			try(t, err)
			if err := kube.UnmarshalStrict(b, into); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// kubernetesType gives an empty object of a kind, nil for those of others.
func kubernetesType(version, kind any) any {
	switch [2]any{version, kind} {
	case [2]any{"v1", "ConfigMap"}:
		return new(core.ConfigMap)
	case [2]any{"v1", "Secret"}:
		return new(core.Secret)
	case [2]any{"v1", "ServiceAccount"}:
		return new(core.ServiceAccount)
	case [2]any{"apps/v1", "Deployment"}:
		return new(apps.Deployment)
	case [2]any{"batch/v1", "Job"}:
		return new(batch.Job)
	case [2]any{"networking.k8s.io/v1", "NetworkPolicy"}:
		return new(networking.NetworkPolicy)
	case [2]any{"policy/v1", "PodDisruptionBudget"}:
		return new(policy.PodDisruptionBudget)
	}
	return nil
}
