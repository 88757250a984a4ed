import { stringify } from "yaml";
import { type Contained, inContainer } from "./containers.ts";
import { addressOf, policyComment } from "./policy-form.ts";
import { nameOf, type Recipe } from "./recipe.ts";

/** Between two asks whether the engine has started. */
const STARTUP_PERIOD_S = 10;

/**
 * A headless Service and a StatefulSet, so that every replica has its own weights and its own address: a gateway chooses
 * between engines itself. The policy for the first replica stands in comments before them.
 */
export function kubernetesForm(recipe: Recipe): string {
  const name = nameOf(recipe);
  const said = policyComment(recipe, addressOf(recipe, `${name}-0.${name}`));
  const documents = [service(recipe), statefulSet(recipe)].map((each) =>
    stringify(each, { lineWidth: 0, aliasDuplicateObjects: false }),
  );
  return `${said.join("\n")}\n---\n${documents.join("---\n")}`;
}

const labelsOf = (recipe: Recipe) => ({
  "app.kubernetes.io/name": nameOf(recipe),
  "app.kubernetes.io/component": "engine",
  "app.kubernetes.io/part-of": "signalbox",
});

function service(recipe: Recipe): object {
  const { port } = inContainer(recipe);
  const labels = labelsOf(recipe);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: nameOf(recipe), labels },
    // The gateway asks an engine itself whether it is ready, also while it loads.
    spec: {
      clusterIP: "None",
      publishNotReadyAddresses: true,
      selector: labels,
      ports: [{ name: "http", port, targetPort: "http" }],
    },
  };
}

function statefulSet(recipe: Recipe): object {
  const contained = inContainer(recipe);
  const labels = labelsOf(recipe);
  const name = nameOf(recipe);
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name, labels },
    spec: {
      serviceName: name,
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podOf(recipe, contained) },
      volumeClaimTemplates: [
        {
          metadata: { name: "weights" },
          spec: {
            accessModes: ["ReadWriteOnce"],
            resources: { requests: { storage: `${contained.container.weightsGib}Gi` } },
          },
        },
      ],
    },
  };
}

function podOf(recipe: Recipe, contained: Contained): object {
  const { container } = contained;
  const { sharedMemoryGib, fetch, image, weightsPath } = container;
  const { gpus } = recipe.choice;
  const mounts = [{ name: "weights", mountPath: weightsPath }];
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: { seccompProfile: { type: "RuntimeDefault" } },
    // A reply under way may finish: the gateway sends no more once the pod is not ready.
    terminationGracePeriodSeconds: 120,
    ...(gpus === 0
      ? {}
      : {
          nodeSelector: { "nvidia.com/gpu.present": "true" },
          tolerations: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }],
        }),
    ...(fetch === undefined
      ? {}
      : {
          initContainers: [
            {
              name: "weights",
              image,
              command: ["/bin/sh", "-c", fetch],
              volumeMounts: mounts,
              securityContext: restricted,
            },
          ],
        }),
    containers: [engineOf(recipe, contained)],
    ...(sharedMemoryGib === undefined
      ? {}
      : { volumes: [{ name: "shm", emptyDir: { medium: "Memory", sizeLimit: `${sharedMemoryGib}Gi` } }] }),
  };
}

const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };

function engineOf(recipe: Recipe, { container, port, command, environment, after }: Contained): object {
  const { image, weightsPath, sharedMemoryGib, memoryGib, cpus } = container;
  const { gpus } = recipe.choice;
  const env = Object.entries(environment).map(([name, value]) => ({ name, value }));
  return {
    name: "engine",
    image,
    command,
    ...(env.length === 0 ? {} : { env }),
    ports: [{ name: "http", containerPort: port }],
    resources: {
      requests: { cpu: String(cpus), memory: `${memoryGib}Gi` },
      limits: { memory: `${memoryGib}Gi`, ...(gpus === 0 ? {} : { "nvidia.com/gpu": String(gpus) }) },
    },
    ...probesOf(container),
    ...(after === undefined
      ? {}
      : {
          lifecycle: {
            postStart: {
              exec: {
                command: ["/bin/sh", "-c", `until ${after.ready} > /dev/null 2>&1; do sleep 1; done; ${after.run}`],
              },
            },
          },
        }),
    securityContext: restricted,
    volumeMounts: [
      { name: "weights", mountPath: weightsPath },
      ...(sharedMemoryGib === undefined ? [] : [{ name: "shm", mountPath: "/dev/shm" }]),
    ],
  };
}

/** Nothing but the startup probe counts while the weights are loaded. */
function probesOf({ healthPath, startMinutes }: Contained["container"]): object {
  const httpGet = { path: healthPath, port: "http" };
  return {
    startupProbe: {
      httpGet,
      periodSeconds: STARTUP_PERIOD_S,
      timeoutSeconds: 5,
      failureThreshold: (startMinutes * 60) / STARTUP_PERIOD_S,
    },
    readinessProbe: { httpGet, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 2 },
    livenessProbe: { httpGet, periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 6 },
  };
}
