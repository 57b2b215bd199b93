/** The results as a picture: what each server answers in a second of hot reads, and at what cost. */
import { BarChart, type BarSeriesOption } from 'echarts/charts';
import {
  GridComponent,
  type GridComponentOption,
  LegendComponent,
  type LegendComponentOption,
  TitleComponent,
  type TitleComponentOption,
} from 'echarts/components';
import { type ComposeOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { showBytes } from '../arguments.ts';
import { mediansOf } from '../medians.ts';
import type { Measured } from '../results.ts';
import type { RoundFigures } from '../round.ts';
import { READ_HOT } from '../workloads.ts';

type ChartOption = ComposeOption<
  BarSeriesOption | GridComponentOption | LegendComponentOption | TitleComponentOption
>;

const WIDTH_PX = 1000;
const HEIGHT_PX = 460;
/** Where each of the two begins, and how wide it is; the names of the servers stand before the first. */
const LEFT_PX = [230, 640];
const PANEL_WIDTH_PX = 310;

const PANELS = [
  { title: 'requests per second', of: (one: RoundFigures) => one.requestsPerSecond, digits: 0 },
  { title: 'CPU per request, us', of: (one: RoundFigures) => one.cpuUsPerRequest, digits: 1 },
] as const;

interface Bars {
  readonly servers: readonly string[];
  /** By body; the figures are in the order of the servers, for those that were measured. */
  readonly bodies: readonly {
    readonly name: string;
    readonly medians: readonly (RoundFigures | undefined)[];
  }[];
}

/** What of the results is drawn. */
export function barsOf({ series }: Measured): Bars {
  const hot = series.filter(({ workload }) => workload === READ_HOT.name);
  const servers = [...new Set(hot.flatMap((one) => one.servers.map(({ server }) => server)))];
  const bodies = hot.map((one) => ({
    name: showBytes(one.bodyBytes),
    medians: servers.map((name) => {
      const rounds = one.servers.find(({ server }) => server === name)?.rounds ?? [];
      return rounds.length === 0 ? undefined : mediansOf(rounds);
    }),
  }));
  return { servers, bodies };
}

function optionOf({ servers, bodies }: Bars): ChartOption {
  return {
    animation: false,
    backgroundColor: '#ffffff',
    title: PANELS.map(({ title }, nth) => ({
      text: `${READ_HOT.name}: ${title}`,
      left: LEFT_PX[nth] ?? 0,
      textStyle: { fontSize: 14 },
    })),
    legend: { bottom: 4, data: bodies.map(({ name }) => name) },
    grid: PANELS.map((_, nth) => ({
      left: LEFT_PX[nth] ?? 0,
      width: PANEL_WIDTH_PX,
      top: 32,
      bottom: 56,
    })),
    xAxis: PANELS.map((_, nth) => ({ type: 'value', gridIndex: nth, splitNumber: 4 })),
    yAxis: PANELS.map((_, nth) => ({
      type: 'category',
      gridIndex: nth,
      inverse: true,
      data: [...servers],
      axisLabel: { show: nth === 0 },
    })),
    series: PANELS.flatMap(({ of, digits }, nth) =>
      bodies.map(
        ({ name, medians }): BarSeriesOption => ({
          name,
          type: 'bar',
          xAxisIndex: nth,
          yAxisIndex: nth,
          label: { show: true, position: 'right' },
          data: medians.map((one) => (one === undefined ? '-' : Number(of(one).toFixed(digits)))),
        }),
      ),
    ),
  };
}

/** An SVG document. */
export function renderChart(measured: Measured): string {
  use([BarChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);
  const size = { width: WIDTH_PX, height: HEIGHT_PX };
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size });
  chart.setOption(optionOf(barsOf(measured)));
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${svg}\n`;
}
